#include "common/fault_rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 4, FIELD_BYTES = 256, STALL_MS_MAX = 3600000, ERROR_MAX = 65535 };

static const char *const PLACES[FAULT_PLACES] = {
    [FAULT_DB] = "db",       [FAULT_COMMIT] = "commit", [FAULT_CONNECT] = "connect",
    [FAULT_CLOCK] = "clock", [FAULT_FILE] = "file",     [FAULT_MALLOC] = "malloc",
};

static const char *const WHENS[] = {
    [FAULT_BEFORE] = "before",
    [FAULT_SENT] = "sent",
    [FAULT_AFTER] = "after",
};

static const struct {
    const char *name;
    int number;
} ERRNOS[] = {
    {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EIO", EIO},       {"EFBIG", EFBIG},
    {"EROFS", EROFS},   {"EACCES", EACCES}, {"ENOENT", ENOENT}, {"EMFILE", EMFILE},
    {"ENOMEM", ENOMEM}, {"EINTR", EINTR},   {"EPIPE", EPIPE},
};

static const struct fault_deed DRAWN[] = {
    {FAULT_ERROR, 1213},
    {FAULT_ERROR, 1205},
    {FAULT_ERROR, 1020},
    {FAULT_LOST, 0},
};

const char *fault_place_name(enum fault_place place)
{
    return PLACES[place];
}

static bool is_of_db(enum fault_place place)
{
    return place == FAULT_DB || place == FAULT_COMMIT || place == FAULT_CONNECT;
}

/* The index of a word in a table; -1: it is not there. */
static int find(const char *word, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0) return i;
    return -1;
}

static bool parse_number(const char *text, uint64_t most, uint64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    if (text[0] < '0' || text[0] > '9') return false;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || number > most) return false;
    *ret_number = number;
    return true;
}

/* Copies what stands before the next `separator`, and moves behind it; false at the end of the text
 * or when it does not fit. */
static bool next_field(const char **at, char separator, char *ret_field, size_t size)
{
    if (*at == NULL) return false;
    const char *end = strchrnul(*at, separator);
    size_t length = (size_t)(end - *at);
    if (length >= size) return false;
    memcpy(ret_field, *at, length);
    ret_field[length] = '\0';
    *at = *end == '\0' ? NULL : end + 1;
    return true;
}

static bool parse_code(const char *text, enum fault_place place, int *ret_code)
{
    uint64_t number = 0;
    for (size_t i = 0; !is_of_db(place) && i < COUNT_OF(ERRNOS); i++) {
        if (strcmp(ERRNOS[i].name, text) != 0) continue;
        *ret_code = ERRNOS[i].number;
        return true;
    }
    if (!parse_number(text, ERROR_MAX, &number) || number == 0) return false;
    *ret_code = (int)number;
    return true;
}

static enum err parse_deed(const char *text, enum fault_place place, struct fault_deed *ret_deed,
                           struct detail *detail)
{
    uint64_t ms = 0;
    if (strcmp(text, "kill") == 0) {
        *ret_deed = (struct fault_deed){FAULT_KILL, 0};
    } else if (strcmp(text, "stop") == 0) {
        *ret_deed = (struct fault_deed){FAULT_STOP, 0};
    } else if (strncmp(text, "stall=", 6) == 0) {
        if (!parse_number(text + 6, STALL_MS_MAX, &ms))
            return detail_set(detail, ERR_CONFIG, "stall takes milliseconds, not `%s`", text + 6);
        *ret_deed = (struct fault_deed){FAULT_STALL, (int)ms};
    } else if (strcmp(text, "lose") == 0) {
        if (!is_of_db(place))
            return detail_set(detail, ERR_CONFIG, "only an exchange with the server can be lost");
        *ret_deed = (struct fault_deed){FAULT_LOST, 0};
    } else if (strncmp(text, "error=", 6) == 0) {
        if (place == FAULT_CLOCK)
            return detail_set(detail, ERR_CONFIG, "a clock cannot fail; it can stall");
        *ret_deed = (struct fault_deed){FAULT_ERROR, 0};
        if (!parse_code(text + 6, place, &ret_deed->value))
            return detail_set(detail, ERR_CONFIG, "error takes a number%s, not `%s`",
                              is_of_db(place) ? " of the server's or the client library's"
                                              : " or the name of an errno, such as ENOSPC",
                              text + 6);
    } else {
        return detail_set(
            detail, ERR_CONFIG,
            "there is no action `%s`; choose kill, stop, stall=MS, error=CODE or lose", text);
    }
    return OK;
}

static enum err parse_range(const char *text, struct fault_rule *rule, struct detail *detail)
{
    char number[FIELD_BYTES];
    size_t length = strlen(text);
    bool open = length > 0 && text[length - 1] == '+';
    rule->first = 1;
    rule->last = UINT64_MAX;
    if (strcmp(text, "*") == 0) return OK;
    (void)text_format(number, sizeof(number), "%.*s", (int)(open ? length - 1 : length), text);
    if (!parse_number(number, UINT64_MAX, &rule->first) || rule->first == 0)
        return detail_set(detail, ERR_CONFIG,
                          "which call is a number from 1, a number and a +, or *, not `%s`", text);
    if (!open) rule->last = rule->first;
    return OK;
}

/* PLACE:N:WHEN:ACTION */
static enum err parse_plain(char fields[FIELDS][FIELD_BYTES], struct fault_rule *rule,
                            struct detail *detail)
{
    int place = find(fields[0], PLACES, FAULT_PLACES);
    int when = find(fields[2], WHENS, COUNT_OF(WHENS));
    if (place < 0)
        return detail_set(detail, ERR_CONFIG,
                          "there is no place `%s`; choose db, commit, connect, clock, file, malloc "
                          "or random",
                          fields[0]);
    if (when < 0)
        return detail_set(detail, ERR_CONFIG,
                          "there is no moment `%s`; choose before, sent or after", fields[2]);
    rule->place = (enum fault_place)place;
    rule->when = (enum fault_when)when;
    TRY(parse_range(fields[1], rule, detail));
    rule->deed_count = 1;
    return parse_deed(fields[3], rule->place, &rule->deeds[0], detail);
}

static enum err parse_drawn(const char *text, struct fault_rule *rule, struct detail *detail)
{
    char word[FIELD_BYTES];
    for (const char *at = text; next_field(&at, ',', word, sizeof(word));) {
        if (rule->deed_count == FAULT_DEEDS)
            return detail_set(detail, ERR_CONFIG, "at most %d actions can be drawn", FAULT_DEEDS);
        TRY(parse_deed(word, FAULT_DB, &rule->deeds[rule->deed_count++], detail));
    }
    return OK;
}

/* random:SEED:PERMILLE[:ACTION,ACTION...] */
static enum err parse_random(char fields[FIELDS][FIELD_BYTES], int field_count,
                             struct fault_rule *rule, struct detail *detail)
{
    uint64_t permille = 0;
    rule->is_random = true;
    if (!parse_number(fields[1], UINT64_MAX, &rule->seed))
        return detail_set(detail, ERR_CONFIG, "the seed is a number, not `%s`", fields[1]);
    if (!parse_number(fields[2], 1000, &permille))
        return detail_set(detail, ERR_CONFIG, "the chance is 0 to 1000 in a thousand, not `%s`",
                          fields[2]);
    rule->permille = (int)permille;
    if (field_count == FIELDS) return parse_drawn(fields[3], rule, detail);
    memcpy(rule->deeds, DRAWN, sizeof(DRAWN));
    rule->deed_count = COUNT_OF(DRAWN);
    return OK;
}

static enum err parse_rule(const char *text, struct fault_rule *ret_rule, struct detail *detail)
{
    char fields[FIELDS][FIELD_BYTES] = {{0}};
    int count = 0;
    const char *at = text;
    while (count < FIELDS && next_field(&at, ':', fields[count], FIELD_BYTES))
        count++;
    struct fault_rule rule = {0};
    bool is_random = strcmp(fields[0], "random") == 0;
    if (at != NULL || count < (is_random ? FIELDS - 1 : FIELDS))
        return detail_set(detail, ERR_CONFIG,
                          "a rule is PLACE:N:WHEN:ACTION or random:SEED:PERMILLE[:ACTION,ACTION]");
    if (is_random)
        TRY(parse_random(fields, count, &rule, detail));
    else
        TRY(parse_plain(fields, &rule, detail));
    *ret_rule = rule;
    return OK;
}

enum err fault_rules_parse(const char *text, struct fault_rules *ret_rules, struct detail *detail)
{
    struct fault_rules rules = {.count = 0};
    char word[FIELDS * FIELD_BYTES];
    const char *at = text;
    while (next_field(&at, ';', word, sizeof(word))) {
        struct detail wrong = {""};
        if (rules.count == FAULT_RULES)
            return detail_set(detail, ERR_CONFIG, "more than %d rules", FAULT_RULES);
        enum err err = parse_rule(word, &rules.items[rules.count++], &wrong);
        if (err != OK) return detail_set(detail, err, "`%s`: %s", word, wrong.text);
    }
    if (at != NULL) return detail_set(detail, ERR_CONFIG, "a rule is too long");
    *ret_rules = rules;
    return OK;
}

/* splitmix64: a well mixed number for each seed and call. */
static uint64_t mix(uint64_t seed, uint64_t number)
{
    uint64_t z = seed * UINT64_C(0x9e3779b97f4a7c15) + number * UINT64_C(0xd1b54a32d192ed03);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The client library numbers its errors from 2000 to 2999 and from 5000 on. */
static bool is_of_server(const struct fault_deed *deed)
{
    return deed->action == FAULT_ERROR &&
           (deed->value < 2000 || (deed->value >= 3000 && deed->value < 5000));
}

static const struct fault_deed *draw(const struct fault_rule *rule, const struct fault_call *call,
                                     enum fault_when when)
{
    static const struct fault_deed lost = {FAULT_LOST, 0};
    uint64_t number = mix(rule->seed, call->db_number);
    if (call->db_number == 0 || (int)(number % 1000) >= rule->permille) return NULL;
    number /= 1000;
    const struct fault_deed *deed = &rule->deeds[number % (uint64_t)rule->deed_count];
    number /= (uint64_t)rule->deed_count;
    enum fault_when drawn = (enum fault_when)(number % COUNT_OF(WHENS));
    /* What the server says about a statement it says instead of doing it, and to a session. */
    if (is_of_server(deed) && call->place != FAULT_CONNECT) drawn = FAULT_BEFORE;
    if (is_of_server(deed) && call->place == FAULT_CONNECT) deed = &lost;
    return drawn == when ? deed : NULL;
}

const struct fault_deed *fault_rule_match(const struct fault_rule *rule,
                                          const struct fault_call *call, enum fault_when when)
{
    if (rule->is_random) return draw(rule, call, when);
    uint64_t number = rule->place == call->place ? call->number
                      : rule->place == FAULT_DB  ? call->db_number
                                                 : 0;
    bool meant = number > 0 && rule->when == when && number >= rule->first && number <= rule->last;
    return meant ? &rule->deeds[0] : NULL;
}
