/* A detector bridge with libzmq alone: an example to write your own from. Its text is docs/protocol.md, part 1.

   gcc -std=c11 -O2 -Wall -Wextra -Werror sender.c -lzmq -o sender
   sender ENDPOINT SCAN_Y SCAN_X FILE [--detector YxX] [--scan-id UUID] [--rate HZ] [--keep N] [--wait S]

   FILE has raw little-endian float32 frames and plays the detector. With --rate it delivers whether anybody wants the
   frames or not; without, as fast as they can be kept. A frame is kept until the engine has acknowledged it.
   An engine with keys wants three more socket options (docs/security.md), set before the socket connects.
   Exit codes: 0 completed, 2 bad arguments, 3 refused, 7 the engine ended the scan otherwise, 9 no engine. */

#define _POSIX_C_SOURCE 200809L /* clock_gettime; that and /dev/urandom are all that is not plain C */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

enum { BATCH = 16, POLL_MS = 10, MAX_FLIGHT = 4096, MAX_RANGES = 1025, MAX_HEADER = 64 << 10 };
enum { DUE = 1, STORED = 2, AT_ENGINE = 4 }; /* to be sent; named by the last ready; sent or ever stored */
static const double HOLD_S = 0.035, HEARTBEAT_S = 1, START_AGAIN_S = 1, END_AGAIN_S = 2, SILENT_S = 5;

typedef struct { long long first, stop; } Range;
typedef struct { long long seq; Range frames; } Message;

static const char *endpoint, *scan_id;
static char routing_id[16], new_scan_id[37];
static void *context, *socket_;
static FILE *file;
static long long scan_y, scan_x, det_y = 128, det_x = 128, n_frames, keep = 4096;
static double rate, wait_s = 60, began, heard, next_start, next_heartbeat, next_end;
static size_t frame_bytes;
static uint8_t **kept, *marks, *payload; /* of each frame: its content while it is kept, and the marks above */
static double *came;
static Message flight[MAX_FLIGHT];
static long long n_flight, seq, credit, n_read, n_kept, n_due, oldest, first_due, n_at_engine, n_dropped, n_safe;
static int is_ready, is_dropping, exit_code = -1;
static uint32_t crc_table[256];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fail(const char *text) {
    fprintf(stderr, "sender: %s\n", text);
    exit(2);
}

static void *make(size_t n, size_t size) {
    void *made = calloc(n ? n : 1, size);
    if (!made) fail("not enough memory");
    return made;
}

/* Tell the operator. */
static void say(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fprintf(stderr, " %lld frames are acknowledged and safe.\n", n_safe);
}

static void random_bytes(void *out, size_t n) {
    FILE *source = fopen("/dev/urandom", "rb");
    if (!source || fread(out, 1, n, source) != n) fail("no random numbers");
    fclose(source);
}

static void make_crc_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        crc_table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            crc_table[i] = crc_table[i] & 1 ? crc_table[i] >> 1 ^ 0xEDB88320u : crc_table[i] >> 1;
    }
}

static uint32_t crc32_of(const void *data, size_t n) {
    const uint8_t *bytes = data;
    uint32_t crc = 0xFFFFFFFFu;
    while (n--) crc = crc >> 8 ^ crc_table[(crc ^ *bytes++) & 0xFF];
    return ~crc;
}

/* Where the value of a header field begins; NULL where there is none. The engine writes JSON without spaces. */
static const char *field(const char *header, const char *name) {
    char key[40];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *found = strstr(header, key);
    return found ? found + strlen(key) : NULL;
}

static long long number(const char *header, const char *name) {
    const char *value = field(header, name);
    return value ? strtoll(value, NULL, 10) : 0;
}

static int says(const char *header, const char *name, const char *expected) {
    const char *value = field(header, name);
    return value && !strncmp(value, expected, strlen(expected));
}

/* A text without its quotes, for people: of an escape the backslash is left out. */
static const char *text(const char *header, const char *name) {
    static char out[2048];
    const char *value = field(header, name);
    size_t n = 0;
    if (value && *value == '"')
        for (value++; *value && *value != '"' && n < sizeof out - 2; out[n++] = *value++)
            if (*value == '\\' && value[1]) value++;
    out[n] = 0;
    return out;
}

/* [[first,stop],...], cut to what has been announced. */
static int ranges_of(const char *header, const char *name, Range *out) {
    const char *at = field(header, name);
    int n = 0;
    if (!at || *at != '[') return 0;
    for (at++; n < MAX_RANGES - 1 && (*at == '[' || (*at == ',' && at[1] == '[')); n++) {
        char *end;
        out[n].first = strtoll(at + (*at == ',' ? 2 : 1), &end, 10);
        out[n].stop = strtoll(end + 1, &end, 10); /* after the comma */
        if (out[n].first < 0) out[n].first = 0;
        if (out[n].stop > n_frames) out[n].stop = n_frames;
        at = end + 1; /* after the bracket */
    }
    return n;
}

static void mark_due(long long i) {
    if (marks[i] & DUE) return;
    marks[i] |= DUE;
    n_due++;
    if (i < first_due) first_due = i;
}

static void unmark_due(long long i) {
    n_due -= marks[i] & DUE;
    marks[i] &= (uint8_t)~DUE;
}

static void mark_at_engine(long long i) {
    n_at_engine += !(marks[i] & AT_ENGINE);
    marks[i] |= AT_ENGINE;
}

/* Open a socket in place of the old one, with what was queued there; start is to be sent (again). */
static void connect_(void) {
    int none = 0, one = 1;
    if (socket_) zmq_close(socket_);
    socket_ = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(socket_, ZMQ_ROUTING_ID, routing_id, sizeof routing_id);
    zmq_setsockopt(socket_, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(socket_, ZMQ_IMMEDIATE, &one, sizeof one); /* nothing is queued for an engine that is away */
    if (zmq_connect(socket_, endpoint)) fail(zmq_strerror(zmq_errno()));
    is_ready = 0;
    next_start = next_heartbeat = next_end = 0;
}

/* Send a message, `more` fields after those that all have; whether it went: not where the engine is away. */
static int send_(const char *kind, size_t n_payload, const char *more, ...) {
    char header[1024];
    int n = snprintf(header, sizeof header, "{\"type\":\"%s\",\"version\":1,\"scan_id\":\"%s\",\"seq\":%lld", kind,
                     scan_id, seq);
    va_list values;
    va_start(values, more);
    n += vsnprintf(header + n, sizeof header - (size_t)n, more, values);
    va_end(values);
    header[n++] = '}';
    if (zmq_send(socket_, header, (size_t)n, ZMQ_DONTWAIT | (n_payload ? ZMQ_SNDMORE : 0)) < 0) return 0;
    if (n_payload && zmq_send(socket_, payload, n_payload, ZMQ_DONTWAIT) < 0) return 0;
    seq++;
    return 1;
}

/* Take what the detector has. A full buffer loses what comes, until half of it is free again. */
static void collect(void) {
    for (int n = 0; n < 1000 && n_read < n_frames; n++) {
        int is_full = n_kept >= (is_dropping ? keep / 2 + 1 : keep);
        if (rate <= 0 ? is_full || n_due >= BATCH : now() < began + (double)n_read / rate) return; /* a file can wait */
        uint8_t *frame = make(1, frame_bytes);
        if (fread(frame, frame_bytes, 1, file) != 1) fail("the file cannot be read");
        long long i = n_read++;
        if (is_full) {
            n_dropped += !(marks[i] & STORED);
            if (!is_dropping) say("The buffer of %lld is full: frames from %lld on are dropped.", keep, i);
            free(frame);
        } else {
            kept[i] = frame;
            came[i] = now();
            n_kept++;
            if (!(marks[i] & STORED)) mark_due(i);
        }
        is_dropping = is_full;
    }
}

/* Send consecutive frames, as many as credit allows; whether some went. */
static int send_frames(void) {
    long long room = credit, count = 1;
    for (long long k = 0; k < n_flight; k++) room -= flight[k].frames.stop - flight[k].frames.first;
    if (room > BATCH) room = BATCH;
    if (!is_ready || room < 1 || !n_due || n_flight == MAX_FLIGHT) return 0;
    while (!(marks[first_due] & DUE)) first_due++;
    long long first = first_due;
    while (count < room && first + count < n_read && marks[first + count] & DUE) count++;
    if (first + count == n_read && n_read < n_frames && count < room && now() - came[first] < HOLD_S)
        return 0; /* the next ones may come in time for the same message */
    for (long long k = 0; k < count; k++)
        memcpy(payload + (size_t)k * frame_bytes, kept[first + k], frame_bytes);
    char protected_[160];
    uint32_t crc = crc32_of(payload, (size_t)count * frame_bytes); /* flags would follow in the protected text */
    int n = snprintf(protected_, sizeof protected_, "%s %lld %lld %lld %u", scan_id, seq, first, count, crc);
    if (!send_("frames", (size_t)count * frame_bytes,
               ",\"first_frame\":%lld,\"count\":%lld,\"timestamp_s\":%.6f,\"crc32\":%u,\"header_crc32\":%u", first,
               count, came[first], crc, crc32_of(protected_, (size_t)n)))
        return 0;
    flight[n_flight++] = (Message){seq - 1, {first, first + count}};
    for (long long i = first; i < first + count; i++) {
        mark_at_engine(i);
        unmark_due(i);
    }
    return 1;
}

/* Forget frames that are safe. */
static void discard(const Range *acknowledged, int n) {
    n_safe = 0;
    for (int k = 0; k < n; k++) {
        n_safe += acknowledged[k].stop - acknowledged[k].first;
        long long i = acknowledged[k].first > oldest ? acknowledged[k].first : oldest;
        for (; i < acknowledged[k].stop && i < n_read; i++) {
            unmark_due(i);
            n_kept -= kept[i] != NULL;
            free(kept[i]);
            kept[i] = NULL;
        }
    }
    while (oldest < n_read && !kept[oldest]) oldest++;
}

/* Start again, send again or give up, as the engine says. */
static void take_refusal(const char *header) {
    static Range wanted[MAX_RANGES];
    int is_final = says(header, "final", "true");
    if (is_final && says(header, "resume", "true")) {
        if (!is_ready) return; /* it answers what went before the start message that is on its way */
        say("%s", text(header, "reason"));
        connect_();
    } else if (is_final) {
        say("Refused: %s", text(header, "reason"));
        exit_code = 3;
    } else if (says(header, "code", "\"busy\"")) {
        next_start = now() + START_AGAIN_S / 2;
    } else {
        int n = ranges_of(header, "resend", wanted);
        long long seq_seen = number(header, "seq_seen");
        for (int k = 0; k < n; k++)
            for (long long i = wanted[k].first; i < wanted[k].stop && i < n_read; i++) {
                int is_on_the_way = 0;
                for (const Message *m = flight; m < flight + n_flight; m++)
                    is_on_the_way |= m->seq > seq_seen && m->frames.first <= i && i < m->frames.stop;
                if (kept[i] && !is_on_the_way) mark_due(i);
            }
        if (n) next_end = 0;
    }
}

static void take(const char *header) {
    static Range ranges[MAX_RANGES];
    int is_new = says(header, "type", "\"ready\"") && !is_ready, is_ack = says(header, "type", "\"ack\"");
    heard = now();
    if (is_new) {
        is_ready = 1;
        n_flight = 0;
        for (long long i = 0; i < n_frames; i++) marks[i] &= (uint8_t)~STORED;
        for (int k = 0, n = ranges_of(header, "stored", ranges); k < n; k++)
            for (long long i = ranges[k].first; i < ranges[k].stop; i++) {
                marks[i] |= STORED;
                mark_at_engine(i);
            }
        for (long long i = oldest; i < n_read; i++) { /* what is stored is kept still: not yet acknowledged */
            if (kept[i] && !(marks[i] & STORED)) mark_due(i);
            else unmark_due(i);
        }
    }
    if (is_ack) {
        ranges[0] = (Range){0, number(header, "below")};
        discard(ranges, 1 + ranges_of(header, "ranges", ranges + 1));
    }
    if (is_ack || says(header, "type", "\"ready\"")) {
        long long n_left = 0, seq_seen = number(header, "seq_seen");
        credit = number(header, "credit");
        for (long long k = 0; k < n_flight; k++)
            if (flight[k].seq > seq_seen) flight[n_left++] = flight[k];
        n_flight = n_left;
    }
    if (is_ack && says(header, "end", "true")) {
        say("%s, %lld frames were dropped.", text(header, "finish_reason"), n_dropped);
        exit_code = says(header, "finish_reason", "\"COMPLETED\"") ? 0 : 7;
    }
    if (says(header, "type", "\"refused\"")) take_refusal(header);
}

/* Take all messages that are there. */
static void hear(long wait_ms) {
    static char header[MAX_HEADER + 1];
    zmq_pollitem_t item = {socket_, 0, ZMQ_POLLIN, 0};
    while (exit_code < 0 && zmq_poll(&item, 1, wait_ms) > 0) {
        int n = zmq_recv(socket_, header, MAX_HEADER, ZMQ_DONTWAIT);
        if (n >= 0) {
            header[n < MAX_HEADER ? n : MAX_HEADER] = 0;
            take(header);
        }
        item.socket = socket_; /* perhaps another one now */
        wait_ms = 0;
    }
}

/* One round of all that is to be done. */
static void turn(void) {
    collect();
    int has_sent = send_frames();
    double t = now(), dwell_s = rate > 0 ? 1 / rate : 0;
    char dwell[40] = "null";
    if (dwell_s > 0) snprintf(dwell, sizeof dwell, "%.9g", dwell_s);
    if (!is_ready && t >= next_start &&
        send_("start", 0,
              ",\"scan_shape\":[%lld,%lld],\"detector_shape\":[%lld,%lld],\"dtype\":\"float32\",\"n_frames\":%lld,"
              "\"dwell_s\":%s,\"software\":\"example sender.c\"",
              scan_y, scan_x, det_y, det_x, n_frames, dwell))
        next_start = t + START_AGAIN_S;
    if (is_ready && t >= next_heartbeat && send_("heartbeat", 0, "")) next_heartbeat = t + HEARTBEAT_S;
    if (is_ready && n_read == n_frames && !n_due && t >= next_end &&
        send_("end", 0, ",\"reason\":\"complete\",\"frames_sent\":%lld,\"frames_dropped_by_sender\":%lld", n_at_engine,
              n_dropped))
        next_end = t + END_AGAIN_S; /* until it is acknowledged */
    if (is_ready && t - heard > SILENT_S) {
        say("The engine is silent, and waited for.");
        connect_();
    }
    if (!is_ready && t - heard > wait_s) {
        say("No engine answers: given up.");
        exit_code = 9;
    }
    hear(has_sent ? 0 : POLL_MS);
}

int main(int argc, char **argv) {
    const char *given[4] = {0};
    uint8_t id[16];
    random_bytes(id, sizeof id);
    id[6] = (id[6] & 0x0F) | 0x40;
    id[8] = (id[8] & 0x3F) | 0x80;
    for (int i = 0, n = 0; i < 16; i++)
        n += snprintf(new_scan_id + n, 4, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id[i]);
    scan_id = new_scan_id;
    for (int i = 1, n = 0; i < argc; i++) {
        const char *name = argv[i];
        if (strncmp(name, "--", 2)) {
            if (n < 4) given[n++] = name;
        } else if (++i == argc) fail("an option without a value");
        else if (!strcmp(name, "--detector")) {
            if (sscanf(argv[i], "%lldx%lld", &det_y, &det_x) != 2) fail("--detector YxX");
        } else if (!strcmp(name, "--scan-id")) scan_id = argv[i];
        else if (!strcmp(name, "--rate")) rate = atof(argv[i]);
        else if (!strcmp(name, "--keep")) keep = atoll(argv[i]);
        else if (!strcmp(name, "--wait")) wait_s = atof(argv[i]);
        else fail("unknown option");
    }
    if (!given[3]) fail("usage: ENDPOINT SCAN_Y SCAN_X FILE [--detector YxX] [--scan-id ID] [--rate HZ] [--keep N] [--wait S]");
    endpoint = given[0], scan_y = atoll(given[1]), scan_x = atoll(given[2]);
    if (scan_y < 1 || scan_x < 1 || det_y < 1 || det_x < 1 || keep < 1 || strlen(scan_id) > 36) fail("bad arguments");
    n_frames = scan_y * scan_x, frame_bytes = (size_t)(det_y * det_x * 4);
    file = fopen(given[3], "rb");
    if (!file || fseek(file, 0, SEEK_END) || ftell(file) < n_frames * (long long)frame_bytes)
        fail("the file does not have that many frames");
    rewind(file);
    kept = make((size_t)n_frames, sizeof *kept), marks = make((size_t)n_frames, 1);
    came = make((size_t)n_frames, sizeof *came), payload = make(BATCH, frame_bytes);
    random_bytes(routing_id, sizeof routing_id);
    routing_id[0] = 'S'; /* the same for all connections; ids that begin with 0 are ZeroMQ's own */
    make_crc_table();
    context = zmq_ctx_new();
    began = heard = now();
    connect_();
    while (exit_code < 0) turn();
    zmq_close(socket_);
    zmq_ctx_term(context);
    return exit_code;
}
