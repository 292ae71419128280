// SPDX-License-Identifier: Apache-2.0
// The input is a configuration file. It is refused with reasons, or what `check` prints of it reads back to the same.
#include "fuzz.h"

#include "conf/conf_int.h"

// As `check` prints it, without the origins, which name lines.
static char *effective(const struct conf *c, size_t *ret_n)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_n);

    conf_print_effective(c, false, out);
    fclose(out);
    return text;
}

static void cut_origins(char *text)
{
    char *to = text;

    for (char *line = text, *end; *line; line = end + 1) {
        char *cut = NULL;
        end = strchr(line, '\n');
        for (char *p = line; p + 3 <= end; p++) // the last one of the line
            if (memcmp(p, " ; ", 3) == 0)
                cut = p;
        size_t n = (size_t)((cut ? cut : end) - line);
        memmove(to, line, n);
        to += n;
        *to++ = '\n';
    }
    *to = '\0';
}

static void check_errors(const struct conf_errors *e)
{
    CHECK(e->lines.n > 0 && e->lines.n <= 100);
    for (size_t i = 0; i < e->lines.n; i++) {
        const char *line = e->lines.v[i];
        unsigned number;
        int at = 0;
        CHECK(strcmp(line, "... and more") == 0 || (sscanf(line, "/text:%u: %n", &number, &at) == 1 && number > 0 && line[at]));
    }
}

static void check_reads_back(const struct conf *c)
{
    struct conf_errors errors = {0};
    struct conf *again = NULL;
    size_t n;
    char *first = effective(c, &n);

    if (n <= 1 << 20) {
        int rc = conf__load_text((struct str){first, n}, &again, &errors);
        if (rc)
            fprintf(stderr, "%s\n%s\n", first, errors.lines.v[0]);
        CHECK(rc == 0);
        char *second = effective(again, &n);
        cut_origins(first);
        cut_origins(second);
        if (strcmp(first, second) != 0)
            fprintf(stderr, "%s\n-----\n%s\n", first, second);
        CHECK(strcmp(first, second) == 0);
        free(second);
    }
    conf_errors_done(&errors);
    conf_free(again);
    free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct conf_errors errors = {0};
    struct conf *c = NULL;
    char *text = malloc(n ? n : 1); // memory that ends where the bytes end

    memcpy(text, data, n);
    if (conf__load_text((struct str){text, n}, &c, &errors) == 0) {
        CHECK(c && !errors.lines.n);
        check_reads_back(c);
    } else {
        CHECK(!c);
        check_errors(&errors);
    }
    free(text);
    conf_errors_done(&errors);
    conf_free(c);
    return 0;
}
