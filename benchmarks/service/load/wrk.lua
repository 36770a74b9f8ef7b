-- Posts one multipart body over and over. Arguments: a file with the body, its content type.
-- A client that is told 503 waits as long as Retry-After asks, as a polite one does.
local threads = {}
local waits = {}

ok, busy, failed = 0, 0, 0

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local body = file:read("*a")
  file:close()
  text = wrk.format("POST", nil, { ["Content-Type"] = args[2] }, body)
end

function request()
  return text
end

function response(status, headers)
  if status == 200 then
    ok = ok + 1
  elseif status == 503 then
    busy = busy + 1
    table.insert(waits, 1000 * (tonumber(headers["Retry-After"]) or 1))
  else
    failed = failed + 1
  end
end

function delay()
  return table.remove(waits) or 0
end

function done(summary, latency)
  local counts = { ok = 0, busy = 0, failed = 0 }
  for _, thread in ipairs(threads) do
    for name in pairs(counts) do
      counts[name] = counts[name] + thread:get(name)
    end
  end
  local errors = summary.errors
  print(string.format(
    'RESULT {"ok": %d, "busy": %d, "failed": %d, "broken": %d, "seconds": %.6f, '
      .. '"p50": %.3f, "p95": %.3f}',
    counts.ok, counts.busy, counts.failed,
    errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3))
end
