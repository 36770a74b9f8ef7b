// The files of a zip archive, unpacked one at a time and only as far as they are asked for.

const END = 22; // bytes of the end record, without its comment
const LOCAL = 30; // bytes of a member's header, without its name
const STORED = 0;
const DEFLATED = 8;

const number = (view, at, bytes) => (bytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true));
const viewOf = async (blob, from, to) => new DataView(await blob.slice(from, to).arrayBuffer());

/** Members as { name, size, read(most) }; throws where the archive is damaged or of another kind. */
export async function unzip(file) {
  const start = Math.max(0, file.size - END - 65535);
  const tail = await viewOf(file, start, file.size);
  let end = tail.byteLength - END;
  while (end >= 0 && number(tail, end, 4) !== 0x06054b50) end -= 1;
  if (end < 0) throw new Error("no index");
  const [count, size, from] = [number(tail, end + 10, 2), number(tail, end + 12, 4), number(tail, end + 16, 4)];
  if (count === 0xffff || from === 0xffffffff) throw new Error("ZIP64");
  const index = await viewOf(file, from, from + size);
  const found = [];
  for (let at = 0; at + 46 <= index.byteLength && number(index, at, 4) === 0x02014b50;) {
    const [flags, method, packed, plain] = [number(index, at + 8, 2), number(index, at + 10, 2), number(index, at + 20, 4), number(index, at + 24, 4)];
    const [named, extra, comment, local] = [number(index, at + 28, 2), number(index, at + 30, 2), number(index, at + 32, 2), number(index, at + 42, 4)];
    const name = new TextDecoder().decode(new Uint8Array(index.buffer, at + 46, named));
    const known = (method === STORED || method === DEFLATED) && !(flags & 1);
    found.push({ name, size: plain, read: (most) => (known ? read(file, local, packed, method, most) : Promise.reject(new Error("method"))) });
    at += 46 + named + extra + comment;
  }
  return found;
}

/** A member, or its first bytes, as a Blob. */
async function read(file, local, packed, method, most) {
  const head = await viewOf(file, local, local + LOCAL);
  const from = local + LOCAL + number(head, 26, 2) + number(head, 28, 2);
  const enough = most + (most >> 6) + 1024; // packed bytes for so many plain ones, at the worst
  const content = file.slice(from, from + Math.min(packed, enough));
  if (method === STORED) return content.slice(0, most);
  const reader = content.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const parts = [];
  let length = 0;
  while (length < most) {
    const { done, value } = await reader.read();
    if (done) return new Blob(parts);
    parts.push(value);
    length += value.length;
  }
  await reader.cancel();
  return new Blob(parts).slice(0, most);
}
