// NIfTI pairs, a header (.hdr) and its voxels (.img), as the single file that they are together:
// as model/reading/pairs.py joins them, so that every request has one file.

const HALF = /\.(hdr|img)(\.gz)?$/i;
const VOXELS = /\.img(\.gz)?$/i;
const ROOM = 4; // bytes behind a single file's header, which say that nothing follows
const LAYOUTS = [ // where the mark stands, of a pair and of a single file; size, and where the offset of the voxels stands
  { mark: 344, pair: "ni1\0", single: "n+1\0", size: 348, offset: 108, bytes: 4 },
  { mark: 4, pair: "ni2\0", single: "n+2\0", size: 540, offset: 168, bytes: 8 },
];

/** Pairs among files, or whatever has a name and lies beside them, as [header, voxels]. */
export function pairsOf(files) {
  const stems = new Map(); // every choice of files comes by here, so without Map.groupBy, which browsers of 2023 lack
  for (const file of files.filter(({ name }) => HALF.test(name))) {
    const stem = file.name.replace(HALF, "");
    stems.set(stem, [...(stems.get(stem) ?? []), file]);
  }
  return [...stems.values()]
    .filter((two) => two.length === 2 && two.filter(({ name }) => VOXELS.test(name)).length === 1)
    .map(([one, other]) => (VOXELS.test(one.name) ? [other, one] : [one, other]));
}

/** Files with each pair as one, named after its header; halves that do not fit stay as they are. */
export async function joined(files) {
  let found = files;
  for (const [header, voxels] of pairsOf(files)) {
    const whole = await join(header, voxels);
    if (whole) found = found.filter((file) => file !== voxels).map((file) => (file === header ? whole : file));
  }
  return found;
}

async function join(header, voxels) {
  const start = await plain(header);
  const text = (at) => String.fromCharCode(...new Uint8Array(start, at, 4));
  const layout = LAYOUTS.find(({ mark, pair, size }) => start.byteLength >= size && text(mark) === pair);
  if (!layout) return null;
  const { mark, single, size, offset, bytes } = layout;
  const head = new Uint8Array(size + ROOM);
  head.set(new Uint8Array(start, 0, size));
  head.set(new TextEncoder().encode(single), mark);
  const view = new DataView(head.buffer);
  const little = view.getInt32(0, true) === size;
  const from = size + ROOM;
  if (bytes === 4) view.setFloat32(offset, view.getFloat32(offset, little) + from, little);
  else view.setBigInt64(offset, view.getBigInt64(offset, little) + BigInt(from), little);
  const packed = await isGzip(voxels); // gzipped files one behind the other are one gzipped file
  const first = packed ? await new Response(new Blob([head]).stream().pipeThrough(new CompressionStream("gzip"))).blob() : head;
  return new File([first, voxels], header.name, { lastModified: header.lastModified });
}

async function plain(file) {
  if (!(await isGzip(file))) return file.slice(0, 1024).arrayBuffer();
  if (file.size > 65536) return new ArrayBuffer(0); // no header is as long
  const unpacked = file.stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(unpacked).arrayBuffer().catch(() => new ArrayBuffer(0));
}

async function isGzip(file) {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  return first === 0x1f && second === 0x8b;
}
