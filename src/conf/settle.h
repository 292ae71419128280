// SPDX-License-Identifier: Apache-2.0
// The second half of loading: what nobody set is found, names become indexes, and the whole is checked.
#pragma once

struct load;
void conf__settle(struct load *l);
