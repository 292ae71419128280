-- SPDX-License-Identifier: Apache-2.0
-- What run.py reads: one line of JSON at the end.
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"us":%d,"p50_us":%d,"p99_us":%d,"errors":%d,"bad_status":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.timeout, e.status))
end
