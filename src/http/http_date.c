// SPDX-License-Identifier: Apache-2.0
// HTTP dates, without the C library's locale and time zone. Runs in edge and worker; owns the text of the current second.
// Invariant: what http_date_format writes, http_date_parse reads back to the same second.
#include "http/http_date.h"

#include <stdint.h>

#include "http/http_int.h"

#define DAY_S 86400
#define FIRST_S (-62167219200) // 0000-01-01T00:00:00Z
#define LAST_S 253402300799    // 9999-12-31T23:59:59Z

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const days[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

struct date {
    int year, month, day, hour, minute, second; // month 0 to 11
};

// Days since 1970-01-01 of a date in the Gregorian calendar. Years are counted from March, so that the leap day is the last.
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month < 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month < 2 ? month + 10 : month - 2) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t day_number, struct date *ret)
{
    int64_t z = day_number + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; // from March

    ret->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    ret->month = (int)(month < 10 ? month + 2 : month - 10);
    ret->year = (int)(year + era * 400 + (ret->month < 2));
}

static char *put_digits(char *dst, int value, int width)
{
    for (int i = width; i--; value /= 10)
        dst[i] = (char)('0' + value % 10);
    return dst + width;
}

static char *put_text(char *dst, const char *text, size_t n)
{
    memcpy(dst, text, n);
    return dst + n;
}

void http_date_format(time_t t, char dst[HTTP_DATE_BYTES])
{
    int64_t s = t < FIRST_S ? FIRST_S : t > LAST_S ? LAST_S : t;
    int64_t day = (s >= 0 ? s : s - DAY_S + 1) / DAY_S;
    int of_day = (int)(s - day * DAY_S);
    struct date d;
    char *p = dst;

    date_of(day, &d);
    p = put_text(p, days[((day + 4) % 7 + 7) % 7], 3);
    p = put_text(p, ", ", 2);
    p = put_digits(p, d.day, 2);
    *p++ = ' ';
    p = put_text(p, months[d.month], 3);
    *p++ = ' ';
    p = put_digits(p, d.year, 4);
    *p++ = ' ';
    p = put_digits(p, of_day / 3600, 2);
    *p++ = ':';
    p = put_digits(p, of_day / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, of_day % 60, 2);
    put_text(p, " GMT", 5);
}

// The parser's small steps: each takes something off the front of *s, false if it is not there.

static bool take_text(struct str *s, const char *text, size_t n)
{
    if (s->n < n || memcmp(s->p, text, n) != 0)
        return false;
    s->p += n;
    s->n -= n;
    return true;
}

static bool take_digits(struct str *s, int width, int *ret)
{
    int v = 0;

    if (s->n < (size_t)width)
        return false;
    for (int i = 0; i < width; i++) {
        if (!(http__class(s->p[i]) & CH_DIGIT))
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    s->p += width;
    s->n -= (size_t)width;
    *ret = v;
    return true;
}

static bool take_month(struct str *s, int *ret)
{
    for (int i = 0; i < 12; i++)
        if (take_text(s, months[i], 3)) {
            *ret = i;
            return true;
        }
    return false;
}

static bool take_weekday(struct str *s, bool whole)
{
    for (int i = 0; i < 7; i++)
        if (take_text(s, days[i], whole ? strlen(days[i]) : 3))
            return true;
    return false;
}

static bool take_time(struct str *s, struct date *d)
{
    return take_digits(s, 2, &d->hour) && take_text(s, ":", 1) && take_digits(s, 2, &d->minute) && take_text(s, ":", 1) &&
           take_digits(s, 2, &d->second);
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
static bool parse_fixdate(struct str s, struct date *d)
{
    return take_weekday(&s, false) && take_text(&s, ", ", 2) && take_digits(&s, 2, &d->day) && take_text(&s, " ", 1) &&
           take_month(&s, &d->month) && take_text(&s, " ", 1) && take_digits(&s, 4, &d->year) && take_text(&s, " ", 1) &&
           take_time(&s, d) && take_text(&s, " GMT", 4) && !s.n;
}

// "Sunday, 06-Nov-94 08:49:37 GMT"
static bool parse_rfc850(struct str s, struct date *d)
{
    if (!(take_weekday(&s, true) && take_text(&s, ", ", 2) && take_digits(&s, 2, &d->day) && take_text(&s, "-", 1) &&
          take_month(&s, &d->month) && take_text(&s, "-", 1) && take_digits(&s, 2, &d->year) && take_text(&s, " ", 1) &&
          take_time(&s, d) && take_text(&s, " GMT", 4) && !s.n))
        return false;
    // More than 50 years in the future means the last year with these digits (RFC 9110 §5.6.7).
    struct date now;
    date_of(time(NULL) / DAY_S, &now);
    d->year += now.year - now.year % 100;
    if (d->year > now.year + 50)
        d->year -= 100;
    return true;
}

// "Sun Nov  6 08:49:37 1994"
static bool parse_asctime(struct str s, struct date *d)
{
    if (!(take_weekday(&s, false) && take_text(&s, " ", 1) && take_month(&s, &d->month) && take_text(&s, " ", 1)))
        return false;
    if (!(take_text(&s, " ", 1) ? take_digits(&s, 1, &d->day) : take_digits(&s, 2, &d->day)))
        return false;
    return take_text(&s, " ", 1) && take_time(&s, d) && take_text(&s, " ", 1) && take_digits(&s, 4, &d->year) && !s.n;
}

static bool date_is_valid(const struct date *d)
{
    static const int8_t month_days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (d->year % 4 == 0 && d->year % 100 != 0) || d->year % 400 == 0;
    int last = month_days[d->month] + (d->month == 1 && leap);

    return d->day >= 1 && d->day <= last && d->hour < 24 && d->minute < 60 && d->second <= 60; // 60: a leap second
}

bool http_date_parse(struct str text, time_t *ret_time)
{
    struct date d;

    text = str_trim(text);
    if (!(parse_fixdate(text, &d) || parse_rfc850(text, &d) || parse_asctime(text, &d)) || !date_is_valid(&d))
        return false;
    *ret_time = (time_t)(days_of(d.year, d.month, d.day) * DAY_S + d.hour * 3600 + d.minute * 60 + d.second);
    return true;
}

struct str http_date_now(void)
{
    static time_t second = -1;
    static char text[HTTP_DATE_BYTES];
    time_t now = time(NULL);

    if (now != second) {
        http_date_format(now, text);
        second = now;
    }
    return (struct str){text, HTTP_DATE_BYTES - 1};
}
