// SPDX-License-Identifier: Apache-2.0
// The stall's state machine. Owns nothing.
// Invariant: saturated changes only in stall_push(), by one step a sample.
#include "mem/stall.h"

#include <math.h>
#include <string.h>

// A page read from a disk again is 4 KiB of file; what counts is how often the whole of the file pages turns over. Measured: the
// incident 36 times a second, the same in a small virtual machine 4 times; reading large files from disk under a full
// page cache stays below once in some seconds, and hard is low then.
#define PAGE 4096.0
#define TURNOVER_PER_S 1.0
#define REFAULTS_PER_S 300.0
#define NEAR_LIMIT 0.97      // of the limit: usage sits at it
#define HARD_MIN 0.75        // of the limit: less, and there is page cache to drop
#define HARD_HIGH 0.85       // where refaults aren't known, the weaker signs need this much
#define MAJFAULTS_PER_S 20.0 // the incident: 122
#define EVENTS_PER_S 50.0    // memory.events max in the incident: 450 to 650
#define PSI_FULL 0.15        // share of time; the incident: 0.28
#define STORM_S 3.0          // how long the signs must hold
#define STORM_SAMPLES 3
#define LULL_S 2.0  // a storm that has not lasted yet is over after this
#define CALM_S 20.0 // and how long they must be gone: a stall that was relieved for 5 s comes back
#define HOT_SHARE 3 // the stall began when a third of the mapped program text was left

void stall_init(struct stall *s)
{
    memset(s, 0, sizeof(*s));
    s->storm_since = s->calm_since = NAN;
    s->hot_learned = s->hot_lo = s->hot_hi = -1;
}

// The counter's rate since the last sample; negative: not known (absent, first time, or it was reset and went back).
static double rate(struct stall *s, const struct mem_sample *sample, enum mem_field field, int bit, int64_t *last, double dt)
{
    if (!mem_known(sample, field)) {
        s->had &= (uint8_t) ~(1u << bit);
        return -1;
    }
    int64_t now = sample->v[field], before = *last;
    bool had = s->had >> bit & 1;
    s->had |= (uint8_t)(1u << bit);
    *last = now;
    if (!had || !(dt > 0))
        return -1;
    return ((double)now - (double)before) / dt;
}

// A sum of byte counts that nothing guarantees to be sane.
static int64_t bytes_of(double v)
{
    return v > 0 && v < 9e15 ? (int64_t)v : 0;
}

static double file_lru(const struct mem_sample *m)
{
    return mem_known(m, MEM_inactive_file) && mem_known(m, MEM_active_file)
               ? (double)m->v[MEM_inactive_file] + (double)m->v[MEM_active_file]
               : -1;
}

static void learn_hot(struct stall *s, const struct mem_sample *sample, double file)
{
    // Mapped file pages that are not shared memory: the programs' text. It shrinks under pressure, so the largest is kept.
    double text = -1;
    if (mem_known(sample, MEM_sum_pss_file))
        text = (double)sample->v[MEM_sum_pss_file];
    else if (mem_known(sample, MEM_file_mapped)) {
        double shared = (double)mem_get(sample, MEM_segments, mem_get(sample, MEM_sum_pss_shmem, 0));
        text = (double)sample->v[MEM_file_mapped] - (shared > 0 ? shared : 0);
    }
    if (text < 0)
        return;
    if (file >= 0 && text > file) // charged to another cgroup: no need to hold it here
        text = file;
    if (bytes_of(text) > s->hot_hi) {
        s->hot_hi = bytes_of(text);
        s->hot_lo = s->hot_hi / HOT_SHARE;
    }
}

// Whether this sample shows a storm.
static bool storms(struct stall *s, const struct mem_sample *m, double dt)
{
    double refault = rate(s, m, MEM_refault_file, 0, &s->refault_file, dt);
    double major = rate(s, m, MEM_pgmajfault, 1, &s->pgmajfault, dt);
    double events = rate(s, m, MEM_events_max, 2, &s->events, dt);
    double psi = rate(s, m, MEM_psi_full, 3, &s->psi_full, dt) / 1e6;
    double limit =
        mem_known(m, MEM_limit) && m->v[MEM_limit] > 0 && m->v[MEM_limit] < MEM_UNLIMITED ? (double)m->v[MEM_limit] : 0;
    double file = file_lru(m);
    learn_hot(s, m, file);
    if (!mem_known(m, MEM_usage) || limit <= 0 || (double)m->v[MEM_usage] < NEAR_LIMIT * limit)
        return false;
    double hard = file >= 0 ? (double)m->v[MEM_usage] - file : -1;
    if (hard < 0 && mem_known(m, MEM_anon) && mem_known(m, MEM_shmem))
        hard = (double)m->v[MEM_anon] + (double)m->v[MEM_shmem] + (double)mem_get(m, MEM_kernel, 0);
    if (hard < 0 || hard < HARD_MIN * limit)
        return false;
    double turnover = file >= 0 ? refault * PAGE / (file + PAGE) : refault / REFAULTS_PER_S;
    if (refault >= REFAULTS_PER_S && turnover >= TURNOVER_PER_S)
        return true;
    if (hard < HARD_HIGH * limit)
        return false;
    int signs = (refault >= REFAULTS_PER_S) + (major >= MAJFAULTS_PER_S) + (events >= EVENTS_PER_S) + (psi >= PSI_FULL);
    return signs >= 2 || (signs == 1 && refault < 0 && (major >= MAJFAULTS_PER_S || events >= EVENTS_PER_S));
}

int stall_push(struct stall *s, const struct mem_sample *sample)
{
    double dt = s->begun ? sample->t - s->t : 0;
    bool storm = storms(s, sample, dt);
    s->begun = true;
    s->t = sample->t;
    if (storm) {
        s->calm_since = NAN;
        if (isnan(s->storm_since)) {
            s->storm_since = sample->t - dt;
            s->storm_samples = 0;
        }
        s->storm_samples++;
        bool lasts = sample->t - s->storm_since >= STORM_S && s->storm_samples >= STORM_SAMPLES;
        if (s->saturated || !lasts)
            return 0;
        s->saturated = true;
        s->saturated_at = sample->t;
        if (file_lru(sample) >= 0)
            s->hot_learned = bytes_of(file_lru(sample));
        return 1;
    }
    if (isnan(s->calm_since))
        s->calm_since = sample->t;
    if (!s->saturated && sample->t - s->calm_since >= LULL_S)
        s->storm_since = NAN;
    if (s->saturated && sample->t - s->calm_since >= CALM_S) {
        s->saturated = false;
        s->storm_since = NAN;
        return -1;
    }
    return 0;
}

void stall_hot(const struct stall *s, int64_t *ret_lo, int64_t *ret_hi)
{
    if (s->hot_learned >= 0) {
        *ret_lo = *ret_hi = s->hot_learned;
        return;
    }
    *ret_lo = s->hot_lo > 0 ? s->hot_lo : 0;
    *ret_hi = s->hot_hi > 0 ? s->hot_hi : 0;
}
