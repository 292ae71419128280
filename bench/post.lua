-- SPDX-License-Identifier: Apache-2.0
wrk.method = "POST"
wrk.body = string.rep("0123456789abcdef", 65536)
wrk.headers["Content-Type"] = "application/octet-stream"
dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "report.lua")
