// SPDX-License-Identifier: Apache-2.0
// The settings for one server, from the numbers: each with its arithmetic; where none fit, what to change instead.
#pragma once
#include "mem/budget.h"
#include "tune/tune_input.h"

#define TUNE_SETTINGS 24
#define TUNE_TEXTS 10
#define TUNE_TEXT 320

struct tune_setting {
    const char *where; // the file or command; the same pointer for settings that go together
    const char *glue;  // between name and value: " = ", " ", "=", ": "
    const char *name;
    char value[64];
    char why[TUNE_TEXT]; // the arithmetic
};

struct tune_plan {
    enum advice_server server;
    struct budget_in in;
    struct budget budget;
    struct tune_setting setting[TUNE_SETTINGS];
    int n_settings;
    char instead[TUNE_TEXTS][TUNE_TEXT]; // what to change where nothing fits
    int n_instead;
    char note[TUNE_TEXTS][TUNE_TEXT];
    int n_notes;
};

// input: with tune_assume() done for this server.
void tune_plan_make(const struct tune_input *input, enum advice_server server, struct tune_plan *ret);

// Output; 0 or -errno. inputs[i] is what plans[i] was made of.
int tune_print_text(const struct tune_input *inputs, const struct tune_plan *plans, int n);
int tune_print_json(const struct tune_input *inputs, const struct tune_plan *plans, int n);
