// SPDX-License-Identifier: Apache-2.0
// Answers from files: conditionals, ranges, precompressed siblings (RFC 9110 §13, §14, §12.5.3).
#pragma once

struct req;

// The request's plan is PLAN_STATIC and its file is open (the descriptor is taken over).
void static_answer(struct req *r);
