-- Sends one multipart body repeatedly, checks every response, and prints the figures as JSON.
-- Arguments: body file, content type, expected status, text that each response must contain, seconds at the start that do
-- not count. The rate is that of the responses between the first and the last one after that: with many connections the
-- first second only fills the queue.

local ffi = require("ffi")
ffi.cdef("typedef struct { long sec, nsec; } moment; int clock_gettime(int clock, moment *now);")
local MONOTONIC = 1
local moment = ffi.new("moment")

local threads = {}

local function now()
  ffi.C.clock_gettime(MONOTONIC, moment)
  return tonumber(moment.sec) + tonumber(moment.nsec) / 1e9
end

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  file:close()
  wrk.headers["Content-Type"] = args[2]
  expected_status = tonumber(args[3])
  expected_text = args[4]
  prepared = wrk.format()
  counts_from = now() + tonumber(args[5])
  counted, first, last = 0, 0, 0
  wrong = 0
end

function request()
  return prepared
end

-- Some servers write JSON with a space after each colon.
local function has_text(body)
  return string.find(body, expected_text, 1, true)
    or string.find(string.gsub(body, '": ', '":'), expected_text, 1, true)
end

function response(status, headers, body)
  last = now()
  if first > 0 then
    counted = counted + 1
  elseif last >= counts_from then
    first = last
  end
  if status ~= expected_status or not has_text(body) then
    wrong = wrong + 1
  end
end

function done(summary, latency, requests)
  local wrong, rate = 0, 0
  for _, thread in ipairs(threads) do
    wrong = wrong + thread:get("wrong")
    if thread:get("counted") > 0 then
      rate = rate + thread:get("counted") / (thread:get("last") - thread:get("first"))
    end
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "rate": %.6f, "wrong": %d, "broken": %d, ' ..
    '"p50": %.3f, "p95": %.3f, "p99": %.3f, "max": %.3f}\n',
    summary.requests, rate, wrong,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3
  ))
end
