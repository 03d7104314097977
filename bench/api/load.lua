-- One case of the API benchmark, named by CASE; prints what happened as JSON.

local case = os.getenv("CASE")
local token = os.getenv("TOKEN")
local every = "/api/v1/atmos-import-tasks"
local ids = {}
local n = 0

wrk.headers["Accept"] = "application/vnd.api+json"
if token ~= "" then
  wrk.headers["Authorization"] = "Bearer " .. token
end

-- One thread, whose globals `done` can read.
function setup(thread)
  worker = thread
end

function init()
  failed = 0
  for line in io.lines(os.getenv("IDS")) do
    ids[#ids + 1] = line
  end
  wrk.headers["Content-Type"] = "application/vnd.api+json"
  if case == "create" then
    local file = io.open(os.getenv("BODY"))
    wrk.method, wrk.body = "POST", file:read("*a")
    file:close()
  end
end

function request()
  n = n + 1
  if case == "get" then
    return wrk.format(nil, every .. "/" .. ids[n % #ids + 1])
  elseif case == "list" then
    return wrk.format(nil, every .. "?page%5Bnumber%5D=3&page%5Bsize%5D=20")
  end
  return wrk.format(nil, every)
end

function response(status)
  if status ~= (case == "create" and 201 or 200) then
    failed = failed + 1
  end
end

function done(summary, latency)
  local wrong = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "failed": %d, "p50": %.3f, "p99": %.3f}\n',
    summary.requests, summary.duration / 1e6, wrong + worker:get("failed"),
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
