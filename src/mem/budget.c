// SPDX-License-Identifier: Apache-2.0
// The memory budget. Pure arithmetic for tune; owns nothing. Nothing overflows, no result is negative (but the
// classic formula's, which is shown because it is), and what is proposed fits.
#include "mem/budget.h"

#include <math.h>

#include "mem/prices.h"

static int64_t amount(int64_t v)
{
    return v < 0 ? 0 : v > BUDGET_BYTES_MAX ? BUDGET_BYTES_MAX : v;
}

static int64_t to_bytes(double v)
{
    return v <= 0 ? 0 : v >= (double)BUDGET_BYTES_MAX ? BUDGET_BYTES_MAX : (int64_t)ceil(v);
}

static bool is_measured(const struct budget_in *in)
{
    return in->requests >= BUDGET_REQUESTS_LEAST && in->mean >= 0 && in->sd >= 0 && (in->mean > 0 || in->sd > 0);
}

// The most that one request may take, above base.
static double worst_of(const struct budget_in *in)
{
    double worst = (double)amount(in->worst), limit = (double)amount(in->memory_limit);

    if (in->memory_limit > 0) // PHP stops it there
        return limit;
    return fmax(worst, (double)amount(in->mean));
}

int64_t budget_take(const struct budget_in *in, unsigned n, bool measured)
{
    double base = (double)amount(in->base) + MEM_STACK_BYTES, mean = (double)amount(in->mean), sd = (double)amount(in->sd);
    double worst = worst_of(in);

    if (n == 0)
        return 0;
    if (!measured)
        return to_bytes(n * (base + (double)amount(in->memory_limit)));
    double usual = n * (base + mean) + BUDGET_Z * sqrt(n) * sd, others = (n - 1) * (base + mean);
    return to_bytes(fmax(usual, others + base + fmax(worst, mean)));
}

static unsigned most_that_fit(const struct budget_in *in, int64_t left, bool measured)
{
    unsigned lo = 0, hi = BUDGET_WORKERS_MAX;

    while (lo < hi) { // what n workers take rises with n
        unsigned n = (lo + hi + 1) / 2;
        if (budget_take(in, n, measured) <= left)
            lo = n;
        else
            hi = n - 1;
    }
    return lo;
}

// What is spoken for but for the margin.
static double fixed_of(const struct budget_in *in)
{
    return (double)amount(in->hot_file) + (double)amount(in->shared) + (double)amount(in->tmpfs) + (double)amount(in->kernel) +
           (double)amount(in->go) + (double)amount(in->others) + (double)MEM_INODE_BYTES * (double)amount(in->inodes);
}

int64_t budget_limit_for(const struct budget_in *in, unsigned n)
{
    bool measured = is_measured(in);
    double need = fixed_of(in) + (double)budget_take(in, n, measured);

    return to_bytes(need * 100 / (100 - BUDGET_MARGIN_PCT) + 1);
}

static void say_what_would_fit(const struct budget_in *in, struct budget *ret)
{
    bool bounded = in->memory_limit > 0 || is_measured(in);
    int64_t base = amount(in->base) + MEM_STACK_BYTES;

    if (bounded)
        ret->limit_needed = budget_limit_for(in, 1);
    if (ret->left > base)
        ret->memory_limit_fits = ret->left - base;
}

static unsigned cpu_rule(const struct budget_in *in)
{
    double n = in->cpus * in->per_cpu;

    if (!(n > 0))
        return 0;
    return n >= BUDGET_WORKERS_MAX ? BUDGET_WORKERS_MAX : n < 1 ? 1 : (unsigned)n;
}

void budget_reckon(const struct budget_in *in, struct budget *ret)
{
    *ret = (struct budget){.measured = is_measured(in), .by_cpu = cpu_rule(in)};
    ret->inodes = to_bytes((double)MEM_INODE_BYTES * (double)amount(in->inodes));
    if (in->limit == MEM_UNLIMITED || in->limit <= 0) {
        if (in->memory_limit > 0 || ret->measured)
            ret->limit_needed = budget_limit_for(in, ret->by_cpu ? ret->by_cpu : 1);
        return;
    }
    double limit = (double)amount(in->limit), margin = ceil(limit * BUDGET_MARGIN_PCT / 100),
           left = limit - margin - fixed_of(in);
    ret->margin = to_bytes(margin);
    ret->left = left > 0 ? (int64_t)left : 0;
    ret->over = left < 0 ? to_bytes(-left) : 0;
    if (in->memory_limit > 0)
        ret->by_limit = most_that_fit(in, ret->left, false);
    if (ret->measured)
        ret->by_measured = most_that_fit(in, ret->left, true);
    ret->workers = ret->measured ? ret->by_measured : ret->by_limit;
    ret->by = ret->workers == 0 ? BUDGET_NONE : ret->measured ? BUDGET_BY_MEASURED : BUDGET_BY_LIMIT;
    if (ret->by_cpu && ret->workers > ret->by_cpu) {
        ret->workers = ret->by_cpu;
        ret->by = BUDGET_BY_CPU;
    }
    if (ret->workers == 0)
        say_what_would_fit(in, ret);
    ret->workers_bytes = budget_take(in, ret->workers, ret->measured);
}

int64_t budget_classic_gomemlimit(int64_t limit, unsigned threads, int64_t memory_limit)
{
    double v = (double)amount(limit) - (double)threads * (double)amount(memory_limit);

    return v < -(double)BUDGET_BYTES_MAX ? -BUDGET_BYTES_MAX : (int64_t)v;
}

int64_t budget_go_share(int64_t live)
{
    int64_t least = INT64_C(64) << 20;

    live = amount(live);
    return 2 * live > least ? 2 * live : least;
}
