/* The floor: the hall and M/M/2 written out in C as event lists, with nothing general about them.

A service is one entry of a binary heap, and so is the next arrival. The first entry made by what
happens takes the root's place; only where none is made does the last entry move up. Cases lie in
an array and are used again when they leave; those that wait are linked through it, first come,
first served within a class. Times are doubles, so no two are alike. Draws by ziggurat.

Each function simulates num_cases cases from an empty hall until all have left. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* --- draws ------------------------------------------------------------------------------------ */

enum { LAYERS = 256 };
/* Where the tail begins, and the area of each layer (Marsaglia and Tsang, 2000). */
static const double NORMAL_TAIL = 3.6541528853610088, NORMAL_AREA = 0.00492867323397465524;
static const double EXP_TAIL = 7.69711747013104972, EXP_AREA = 0.0039496598225815571993;
static double normal_edge[LAYERS + 1], exp_edge[LAYERS + 1];
static double normal_inner[LAYERS], exp_inner[LAYERS];
static uint64_t state[4];

/* xoshiro256+ (Blackman and Vigna, 2018); the lowest bits are weak and are not used. */
static inline uint64_t bits(void) {
    const uint64_t drawn = state[0] + state[3], shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = state[3] << 45 | state[3] >> 19;
    return drawn;
}

static inline double uniform(void) { return (double)(bits() >> 11) * 0x1p-53; }

static double normal_rarely(double u, unsigned layer) {
    for (;;) {
        if (layer == 0) {
            double x, y;
            do {
                x = -log(1 - uniform()) / NORMAL_TAIL;
                y = -log(1 - uniform());
            } while (y + y < x * x);
            return u < 0 ? -NORMAL_TAIL - x : NORMAL_TAIL + x;
        }
        const double x = u * normal_edge[layer], outer = normal_edge[layer];
        const double inner = normal_edge[layer + 1];
        const double low = exp(-0.5 * (outer * outer - x * x));
        const double high = exp(-0.5 * (inner * inner - x * x));
        if (low + uniform() * (high - low) < 1) return x;
        const uint64_t drawn = bits();
        layer = drawn >> 3 & (LAYERS - 1);
        u = (double)((int64_t)drawn >> 11) * 0x1p-52;
        if (fabs(u) < normal_inner[layer]) return u * normal_edge[layer];
    }
}

static inline double normal(void) {
    const uint64_t drawn = bits();
    const unsigned layer = drawn >> 3 & (LAYERS - 1);
    const double u = (double)((int64_t)drawn >> 11) * 0x1p-52;
    if (__builtin_expect(fabs(u) < normal_inner[layer], 1)) return u * normal_edge[layer];
    return normal_rarely(u, layer);
}

static double exponential_rarely(double u, unsigned layer) {
    for (;;) {
        if (layer == 0) return EXP_TAIL - log(1 - uniform());
        const double x = u * exp_edge[layer];
        const double low = exp(x - exp_edge[layer]), high = exp(x - exp_edge[layer + 1]);
        if (low + uniform() * (high - low) < 1) return x;
        const uint64_t drawn = bits();
        layer = drawn >> 3 & (LAYERS - 1);
        u = (double)(drawn >> 11) * 0x1p-53;
        if (u < exp_inner[layer]) return u * exp_edge[layer];
    }
}

static inline double exponential(void) {
    const uint64_t drawn = bits();
    const unsigned layer = drawn >> 3 & (LAYERS - 1);
    const double u = (double)(drawn >> 11) * 0x1p-53;
    if (__builtin_expect(u < exp_inner[layer], 1)) return u * exp_edge[layer];
    return exponential_rarely(u, layer);
}

static void seed_draws(uint64_t seed) {
    for (int i = 0; i < 4; i++) { /* splitmix64 */
        uint64_t z = seed += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        state[i] = z ^ z >> 31;
    }
    if (normal_edge[1] > 0) return;
    normal_edge[0] = NORMAL_AREA / exp(-0.5 * NORMAL_TAIL * NORMAL_TAIL);
    normal_edge[1] = NORMAL_TAIL;
    exp_edge[0] = EXP_AREA / exp(-EXP_TAIL);
    exp_edge[1] = EXP_TAIL;
    for (int i = 1; i < LAYERS - 1; i++) {
        const double x = normal_edge[i], y = exp_edge[i];
        normal_edge[i + 1] = sqrt(-2 * log(NORMAL_AREA / x + exp(-0.5 * x * x)));
        exp_edge[i + 1] = -log(EXP_AREA / y + exp(-y));
    }
    for (int i = 0; i < LAYERS; i++) {
        normal_inner[i] = normal_edge[i + 1] / normal_edge[i];
        exp_inner[i] = exp_edge[i + 1] / exp_edge[i];
    }
}

/* --- the calendar ----------------------------------------------------------------------------- */

enum { MOST_ENTRIES = 32 };
typedef struct {
    double at;
    uint64_t what; /* case * 8 + where it is served */
} Entry;

typedef struct {
    double now;
    unsigned size;
    int has_hole; /* the root has happened, and nothing has taken its place */
    Entry entry[MOST_ENTRIES];
} Calendar;

static inline void take_root(Calendar *calendar, Entry new) {
    Entry *entry = calendar->entry;
    const unsigned size = calendar->size;
    unsigned hole = 0, child = 1;
    entry[size].at = INFINITY; /* so that the last one has a sibling */
    while (child < size) {
        child += entry[child + 1].at < entry[child].at;
        if (entry[child].at >= new.at) break;
        entry[hole] = entry[child];
        hole = child;
        child = 2 * hole + 1;
    }
    entry[hole] = new;
}

static inline void schedule(Calendar *calendar, double after, uint64_t what) {
    const Entry new = {calendar->now + after, what};
    if (calendar->has_hole) {
        calendar->has_hole = 0;
        take_root(calendar, new);
        return;
    }
    unsigned hole = calendar->size++;
    while (hole && calendar->entry[(hole - 1) / 2].at > new.at) {
        calendar->entry[hole] = calendar->entry[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    calendar->entry[hole] = new;
}

static inline uint64_t next_event(Calendar *calendar) {
    calendar->now = calendar->entry[0].at;
    calendar->has_hole = 1;
    return calendar->entry[0].what;
}

static inline void fill_hole(Calendar *calendar) {
    if (!calendar->has_hole) return;
    calendar->has_hole = 0;
    calendar->size--;
    if (calendar->size) take_root(calendar, calendar->entry[calendar->size]);
}

/* --- the hall --------------------------------------------------------------------------------- */

enum { ACCEPTANCE, PAPERS, PREMISES, DECISION, ISSUE, NUM_POOLS, ARRIVAL = NUM_POOLS };
enum { NOBODY = UINT32_MAX };

typedef struct {
    double arrived_at;
    uint32_t next, next_for_premises; /* a case waits for both checks at once */
    uint8_t is_online, class, checks_left;
} Case;

typedef struct {
    uint32_t first[2], last[2], num_free;
} Pool;

typedef struct {
    Calendar calendar;
    Pool pool[NUM_POOLS];
    Case *cases;
} Hall;

static const double MEAN[2][NUM_POOLS] = {{3.24, 2.16, 1.44, 4.32, 2.16},
                                          {2.04, 2.16, 1.44, 4.32, 2.16}};
static double log_mean[2][NUM_POOLS], sigma;

static inline uint32_t *next_of(Hall *hall, uint32_t place, uint32_t number) {
    Case *one = &hall->cases[number];
    return place == PREMISES ? &one->next_for_premises : &one->next;
}

static inline void serve(Hall *hall, uint32_t place, uint32_t number) {
    const double drawn = exp(log_mean[hall->cases[number].is_online][place] + sigma * normal());
    schedule(&hall->calendar, drawn, (uint64_t)number * 8 + place);
}

static inline void enter(Hall *hall, uint32_t place, uint32_t number) {
    Pool *pool = &hall->pool[place];
    if (pool->num_free) {
        pool->num_free--;
        serve(hall, place, number);
        return;
    }
    const unsigned class = hall->cases[number].class;
    *next_of(hall, place, number) = NOBODY;
    if (pool->first[class] == NOBODY)
        pool->first[class] = number;
    else
        *next_of(hall, place, pool->last[class]) = number;
    pool->last[class] = number;
}

static inline void call_next(Hall *hall, uint32_t place) {
    Pool *pool = &hall->pool[place];
    const unsigned class = pool->first[0] == NOBODY;
    const uint32_t number = pool->first[class];
    if (number == NOBODY) {
        pool->num_free++;
        return;
    }
    pool->first[class] = *next_of(hall, place, number);
    serve(hall, place, number);
}

/* Mean time of the cases in minutes. */
double simulate_hall(int64_t num_cases, uint64_t seed) {
    static const uint32_t servers[NUM_POOLS] = {4, 3, 2, 6, 3};
    Hall hall = {.cases = malloc(num_cases * sizeof(Case))};
    uint32_t unused = NOBODY, num_used = 0; /* cases that have left, linked */
    int64_t to_come = num_cases;
    double sum = 0;

    seed_draws(seed);
    sigma = sqrt(log1p(0.8 * 0.8));
    for (int place = 0; place < NUM_POOLS; place++) {
        for (int i = 0; i < 2; i++)
            log_mean[i][place] = log(MEAN[i][place]) - sigma * sigma / 2;
        hall.pool[place] = (Pool){{NOBODY, NOBODY}, {NOBODY, NOBODY}, servers[place]};
    }
    schedule(&hall.calendar, exponential(), ARRIVAL);
    while (hall.calendar.size) {
        const uint64_t what = next_event(&hall.calendar);
        const uint32_t place = what % 8;
        uint32_t number = (uint32_t)(what / 8);
        if (place != ARRIVAL) call_next(&hall, place);
        switch (place) {
        case ARRIVAL:
            if (--to_come) schedule(&hall.calendar, exponential(), ARRIVAL);
            number = unused != NOBODY ? unused : num_used++;
            if (unused != NOBODY) unused = hall.cases[number].next;
            hall.cases[number] = (Case){.arrived_at = hall.calendar.now,
                                        .is_online = uniform() >= 0.7,
                                        .class = uniform() >= 0.05};
            enter(&hall, ACCEPTANCE, number);
            break;
        case ACCEPTANCE:
            hall.cases[number].checks_left = 2;
            enter(&hall, PAPERS, number);
            enter(&hall, PREMISES, number);
            break;
        case PAPERS:
        case PREMISES:
            if (--hall.cases[number].checks_left == 0) enter(&hall, DECISION, number);
            break;
        case DECISION:
            enter(&hall, ISSUE, number);
            break;
        case ISSUE:
            if (uniform() < 0.1) {
                enter(&hall, ACCEPTANCE, number);
            } else {
                sum += hall.calendar.now - hall.cases[number].arrived_at;
                hall.cases[number].next = unused;
                unused = number;
            }
        }
        fill_hole(&hall.calendar);
    }
    free(hall.cases);
    return sum / num_cases;
}

/* --- M/M/2 ------------------------------------------------------------------------------------ */

/* Mean wait in services. */
double simulate_mm2(int64_t num_cases, uint64_t seed) {
    Calendar calendar = {0};
    double *arrived_at = malloc(num_cases * sizeof(double)), sum = 0;
    int64_t num_arrived = 0, num_called = 0;
    int num_free = 2;

    seed_draws(seed);
    schedule(&calendar, exponential() / 1.6, ARRIVAL);
    while (calendar.size) {
        if (next_event(&calendar) == ARRIVAL) {
            arrived_at[num_arrived++] = calendar.now;
            if (num_arrived < num_cases) schedule(&calendar, exponential() / 1.6, ARRIVAL);
        } else {
            num_free++;
        }
        if (num_free && num_called < num_arrived) {
            num_free--;
            sum += calendar.now - arrived_at[num_called++];
            schedule(&calendar, exponential(), 0);
        }
        fill_hole(&calendar);
    }
    free(arrived_at);
    return sum / num_cases;
}
