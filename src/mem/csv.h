// SPDX-License-Identifier: Apache-2.0
// Lines and fields of a CSV, from a descriptor or from memory, in bounded memory.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

// Lines end in LF, CRLF or at the end; each is at most `max` bytes, a longer one is told and skipped. A quote lasts to the end
// of its line at the most: what is read here holds numbers and names, never text with line ends.
struct csv {
    int fd;        // -1: all is in memory
    const char *p; // unread bytes
    size_t n;
    char *buf; // of max + 1 bytes; NULL where all is in memory
    size_t max;
    bool end;      // nothing more to read
    bool skipping; // inside a line that is too long
    uint64_t line; // number of the line last given out, from 1
};

enum csv_status { CSV_END, CSV_LINE, CSV_LINE_UNFINISHED, CSV_LINE_TOO_LONG };

int csv_init_fd(struct csv *c, int fd, size_t max); // 0 or -ENOMEM; fd is borrowed
void csv_init_text(struct csv *c, const char *p, size_t n, size_t max);
void csv_done(struct csv *c);
// An enum csv_status or read(2)'s -errno. The line is without its end, and valid until the next call. UNFINISHED: the last one,
// where nothing ends it.
int csv_next(struct csv *c, struct str *ret_line);
// Takes the next field off *rest: without blanks around it and without quotes around it (a doubled quote inside stays doubled).
// False at the end. *started says whether the line was begun: "" is one empty field, "a," two.
bool csv_field(struct str *rest, bool *started, struct str *ret_field);

// A number as recordings have them: "12", "12.0", "1e6".
enum csv_number { CSV_NOTHING, CSV_NUMBER, CSV_GARBAGE }; // NOTHING: empty, "-", "nan", "null" and the like
enum csv_number csv_int64(struct str s, int64_t *ret);    // from 0 up, rounded; more than INT64_MAX is INT64_MAX
enum csv_number csv_double(struct str s, double *ret);    // finite
