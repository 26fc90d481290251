/* SPDX-License-Identifier: Apache-2.0
 *
 * certcast plugin ABI, major 1.
 *
 * A plugin is a shared library with one export, the function certcast_plugin_v1. It returns a table
 * of deployers; a deployer puts certificates onto one kind of target. The host never maps the
 * library itself: a small fork server does, and every attempt of every deployment runs in a process
 * of its own, forked from there. So a deployer may block, may use any library and may keep global
 * state: nobody else shares the process.
 *
 * Authors in C++ will want <certcast/deployer.hpp>, which turns a plain class into this table.
 *
 * How structs grow
 *   - certcast_str, certcast_bytes, certcast_value, certcast_entry and certcast_field are frozen.
 *   - Every other struct begins with `size` or is read with a stride, and grows at its end only.
 *     A field is read only if `size` (or the stride) covers it; test a pointer that may be NULL.
 *   - No growable struct is embedded in another by value.
 *
 * Who owns memory
 *   - What the host hands out (job, config, answers) lives until the stage returns.
 *   - What a plugin hands to a host function is copied before that function returns.
 *   - Descriptors, parameters and the table itself are constants of the library.
 *
 * What never crosses: C++ exceptions, longjmp, exit(); bool, enum and FILE* types, std:: types,
 * errno. Calls come from one thread, one at a time; host functions may be called from any one
 * thread at a time, and only while a stage runs.
 */
#ifndef CERTCAST_PLUGIN_H
#define CERTCAST_PLUGIN_H

#include <stdint.h>

#define CERTCAST_ABI_MAJOR 1
#define CERTCAST_ABI_MINOR 0
/** The one symbol a plugin exports; a later major is another symbol beside it. */
#define CERTCAST_ENTRY_SYMBOL "certcast_plugin_v1"

#if defined(__GNUC__)
#define CERTCAST_EXPORT __attribute__((visibility("default")))
#else
#define CERTCAST_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Frozen leaf types */

/** UTF-8 text, not NUL-terminated. data is NULL only where size is 0. */
typedef struct certcast_str {
    const char* data;
    uint64_t size;
} certcast_str;

typedef struct certcast_bytes {
    const uint8_t* data;
    uint64_t size;
} certcast_bytes;

/** A certcast_str of a string literal, usable in constant initialisers. */
#ifdef __cplusplus
#define CERTCAST_STR(literal)        \
    certcast_str {                   \
        literal, sizeof(literal) - 1 \
    }
#else
#define CERTCAST_STR(literal) \
    { literal, sizeof(literal) - 1 }
#endif

/** A name and its text: log fields, command variables. */
typedef struct certcast_field {
    certcast_str name;
    certcast_str value;
} certcast_field;

struct certcast_entry;

/** One configuration value, already checked against the schema that the descriptor declares.
 *  type is a parameter type, or CERTCAST_NONE: not given and without a default. */
typedef struct certcast_value {
    uint32_t type;
    uint32_t reserved;
    /** BOOL 0 or 1; INT; DURATION in milliseconds; CERTIFICATE its index in the job. */
    int64_t integer;
    /** TEXT, PATH (absolute), ENUM, URL, ENDPOINT ("host:port"); SECRET: the name to ask the host
     *  for; CERTIFICATE: the pipeline's name. */
    certcast_str text;
    /** LIST and COMMAND: keys are empty. MAP and OBJECT: keyed. OBJECT: in the schema's order. */
    const struct certcast_entry* entries;
    uint64_t count;
} certcast_value;

typedef struct certcast_entry {
    certcast_str key;
    certcast_value value;
} certcast_entry;

/* Parameters: what an operator may write under config */

enum {
    CERTCAST_NONE = 0,
    CERTCAST_BOOL = 1,
    CERTCAST_INT = 2,
    CERTCAST_TEXT = 3,
    CERTCAST_SECRET = 4,
    CERTCAST_DURATION = 5,
    CERTCAST_PATH = 6,
    CERTCAST_ENUM = 7,
    CERTCAST_URL = 8,
    CERTCAST_ENDPOINT = 9,
    /** The operator's own argument list, run by the host and never by the plugin. No default. */
    CERTCAST_COMMAND = 10,
    CERTCAST_LIST = 11,
    CERTCAST_MAP = 12,
    CERTCAST_OBJECT = 13,
    /** The name of one of the deployment's certificates. */
    CERTCAST_CERTIFICATE = 14
};

enum {
    CERTCAST_REQUIRED = 1u << 0,
    /** Of a PATH: what the plugin does with it, hence what its sandbox grants. WRITES grants the
     *  parent folder, because an atomic switch creates and renames there. */
    CERTCAST_READS = 1u << 1,
    CERTCAST_WRITES = 1u << 2,
    CERTCAST_MUST_EXIST = 1u << 3,
    CERTCAST_DEVICE = 1u << 4,
    /** Names what is deployed to: state and the check for duplicates hang on it. */
    CERTCAST_IDENTITY = 1u << 5,
    /** Two deployments with equal values never overlap, not even those of two runs. */
    CERTCAST_EXCLUSIVE = 1u << 6,
    /** Equal values share rate limits, retry-after and what certcast.session/1 keeps. */
    CERTCAST_ACCOUNT = 1u << 7,
    CERTCAST_DEPRECATED = 1u << 8,
    CERTCAST_ADVANCED = 1u << 9,
    /** Of a PATH: the socket of a local service, such as an ssh-agent's. A deployment that gives it
     *  is granted what NEEDS_UNIX_SOCKETS grants, and keeps its user, whom the service knows. */
    CERTCAST_CONNECTS = 1u << 10,
    /** Of a TEXT, or a LIST of it: a program that the plugin itself starts. A deployment that gives
     *  it is granted what NEEDS_EXEC grants, and keeps its user. */
    CERTCAST_STARTS = 1u << 11
};

/** One parameter. Read with a stride. */
typedef struct certcast_param {
    certcast_str name;
    certcast_str doc;
    /** A type; for LIST and MAP also the type of their elements (OBJECT elements have `fields`). */
    uint32_t type;
    uint32_t element_type;
    uint64_t flags;
    const certcast_str* aliases;
    uint64_t alias_count;
    /** ENUM only. */
    const certcast_str* choices;
    uint64_t choice_count;
    /** INT: the value. DURATION: milliseconds. TEXT: bytes. LIST and MAP: entries. Both 0: any. */
    int64_t min;
    int64_t max;
    /** As an operator would write it, without quotes: "30s", "443", "true". data NULL: none. */
    certcast_str default_value;
    /** TEXT: an ECMAScript regular expression that must match the whole value. At most 512 bytes,
     *  without look-ahead and back references, and with small counts in {}; a default beside it
     *  has at most 128 bytes. Whatever takes longer to match is refused. */
    certcast_str pattern;
    /** OBJECT, and LIST or MAP of OBJECT. */
    const struct certcast_param* fields;
    uint64_t field_count;
    uint64_t field_stride;
} certcast_param;

/* Descriptor: what a deployer says of itself */

enum {
    CERTCAST_NEEDS_NETWORK = 1u << 0,
    /** Asks for private key material. Without it the host answers CERTCAST_E_DENIED. */
    CERTCAST_NEEDS_KEY = 1u << 1,
    CERTCAST_NEEDS_EXEC = 1u << 2,
    CERTCAST_NEEDS_SIGNALS = 1u << 3,
    /** Understands CERTCAST_JOB_DRY_RUN: deploy says what it would do and changes nothing. */
    CERTCAST_NEEDS_DRY_RUN = 1u << 4,
    /** The library cannot be forked after loading (Go, JVM): exec and load it for each attempt. */
    CERTCAST_NEEDS_NO_FORK = 1u << 5,
    /** Connects to sockets of local services, such as an ssh-agent: to any that its user may. */
    CERTCAST_NEEDS_UNIX_SOCKETS = 1u << 6
};

enum {
    CERTCAST_STAGE_VALIDATE = 0,
    CERTCAST_STAGE_DISCOVER = 1,
    CERTCAST_STAGE_INSPECT = 2,
    CERTCAST_STAGE_DEPLOY = 3,
    CERTCAST_STAGE_VERIFY = 4,
    CERTCAST_STAGE_SETTLE = 5,
    CERTCAST_STAGE_ROLLBACK = 6,
    CERTCAST_STAGE_CLOSE = 7
};

/** A path that the deployer touches beside its parameters, shown to whoever installs it. Read with
 *  a stride. flags: CERTCAST_READS, CERTCAST_WRITES, CERTCAST_DEVICE. */
typedef struct certcast_file {
    certcast_str path;
    uint64_t flags;
} certcast_file;

typedef struct certcast_descriptor {
    uint64_t size;
    uint64_t needs;
    /** A bare word is certcast's own; everyone else uses reverse DNS: "org.example.thing". */
    certcast_str id;
    certcast_str version;
    certcast_str name;
    certcast_str vendor;
    certcast_str url;
    const certcast_param* params;
    uint64_t param_count;
    uint64_t param_stride;
    const certcast_file* files;
    uint64_t file_count;
    uint64_t file_stride;
    /** Default timeouts in milliseconds, indexed by stage; 0 or beyond the count: the host's. */
    const uint64_t* stage_timeouts_ms;
    uint64_t stage_timeout_count;
    /** Default time between being asked to stop and being killed; 0: the host's. */
    uint64_t grace_ms;
    /** The longest `protect` that the deployer may ask for. */
    uint64_t longest_protect_ms;
    /** Most certificates in one deployment; most deployments at once, of each account where a
     *  parameter is an ACCOUNT. 0: any. */
    uint32_t max_certificates;
    uint32_t max_parallel;
} certcast_descriptor;

/* Host: what a deployer may call */

/** What host functions and stages return. Anything else counts as CERTCAST_FAILED. */
enum {
    CERTCAST_OK = 0,
    /** A stage failed. Say why with host->fail before returning it. */
    CERTCAST_FAILED = 1,
    /** The attempt is being stopped. */
    CERTCAST_E_CANCELLED = 2,
    /** The host does not take this call: wrong stage, bad argument, unknown name. */
    CERTCAST_E_INVALID = 3,
    CERTCAST_E_NOT_FOUND = 4,
    /** The descriptor does not declare what this call needs. */
    CERTCAST_E_DENIED = 5,
    CERTCAST_E_TOO_LARGE = 6,
    /** The host could not do it: a secret's command failed, the journal's disk is full. */
    CERTCAST_E_HOST = 7
};

enum { CERTCAST_DEBUG = 0, CERTCAST_INFO = 1, CERTCAST_WARNING = 2, CERTCAST_ERROR = 3 };

enum {
    CERTCAST_CANCEL_NONE = 0,
    CERTCAST_CANCEL_USER = 1,
    CERTCAST_CANCEL_DEADLINE = 2,
    CERTCAST_CANCEL_SHUTDOWN = 3
};

enum {
    CERTCAST_CONFIG_ERROR = 1,
    CERTCAST_AUTH_ERROR = 2,
    CERTCAST_NETWORK_ERROR = 3,
    CERTCAST_REMOTE_ERROR = 4,
    CERTCAST_CONFLICT_ERROR = 5,
    CERTCAST_TIMEOUT_ERROR = 6,
    CERTCAST_CANCELLED_ERROR = 7,
    CERTCAST_INTERNAL_ERROR = 8
};

/** Whether another attempt may help. DEFAULT: network, timeout and conflict errors are retried. */
enum { CERTCAST_RETRY_DEFAULT = 0, CERTCAST_RETRY_NEVER = 1, CERTCAST_RETRY_LATER = 2 };

enum {
    CERTCAST_LEAF_PEM = 1,
    /** The intermediates, in order, without the root. */
    CERTCAST_CHAIN_PEM = 2,
    CERTCAST_FULLCHAIN_PEM = 3,
    /** PKCS#8. Needs CERTCAST_NEEDS_KEY, as KEY_DER and PKCS12 do. */
    CERTCAST_KEY_PEM = 4,
    CERTCAST_LEAF_DER = 5,
    CERTCAST_KEY_DER = 6,
    CERTCAST_PKCS12 = 7,
    /** The root, where the source contained it. */
    CERTCAST_ROOT_PEM = 8,
    /** 32 bytes. */
    CERTCAST_SHA256 = 9,
    CERTCAST_SPKI_SHA256 = 10,
    /** Big-endian, without leading zeros. */
    CERTCAST_SERIAL = 11,
    /** DNS names and IP addresses, one a line. */
    CERTCAST_NAMES = 12,
    /** Decimal seconds since 1970-01-01 UTC. */
    CERTCAST_NOT_BEFORE = 13,
    CERTCAST_NOT_AFTER = 14
};

/** CURRENT is what is being deployed; FORMER is what inspect found to be there before. FORMER has
 *  no key, and only as much as inspect's evidence allows. */
enum { CERTCAST_CURRENT = 0, CERTCAST_FORMER = 1 };

enum { CERTCAST_PKCS12_MODERN = 0, CERTCAST_PKCS12_LEGACY = 1 };

typedef struct certcast_material_query {
    uint64_t size;
    uint64_t certificate;
    uint32_t kind;
    uint32_t generation;
    /** PKCS12 only. MODERN: PBES2 with AES-256; LEGACY: what old Java and Windows read. */
    uint32_t pkcs12_profile;
    uint32_t reserved;
    certcast_str password;
    certcast_str friendly_name;
} certcast_material_query;

enum { CERTCAST_PRESENCE_UNKNOWN = 0, CERTCAST_PRESENT = 1, CERTCAST_ABSENT = 2 };

enum {
    CERTCAST_EVIDENCE_NONE = 0,
    CERTCAST_EVIDENCE_DER = 1,
    CERTCAST_EVIDENCE_SHA256 = 2,
    CERTCAST_EVIDENCE_SHA1 = 3,
    CERTCAST_EVIDENCE_SPKI_SHA256 = 4,
    CERTCAST_EVIDENCE_SERIAL = 5
};

/** What inspect found in the place of one certificate. */
typedef struct certcast_live {
    uint64_t size;
    uint64_t certificate;
    uint32_t presence;
    uint32_t evidence_kind;
    certcast_bytes evidence;
    /** Seconds since 1970-01-01 UTC; 0: unknown. */
    int64_t not_after;
    /** 1: everything the deployer would set is so already (leaf, chain, key, mode, ...). 0: it is
     *  not. The deployment is unchanged only if all its certificates say 1. */
    uint32_t as_wanted;
    uint32_t reserved;
} certcast_live;

/** Filled in by the host as far as `size`, which the caller sets, covers it. */
typedef struct certcast_command_result {
    uint64_t size;
    /** Exit status, or 128 + signal. */
    int32_t status;
    /** 1: the output was longer than the host keeps. */
    uint32_t truncated;
    /** Standard output and standard error, in the order written. */
    certcast_bytes output;
} certcast_command_result;

/** 1: ask the source again, because what it gave was refused. */
enum { CERTCAST_SECRET_REFRESH = 1u << 0 };

typedef struct certcast_host {
    uint64_t size;
    void* context;

    /** The message, each name and each value are cut at 16 KiB; of at most 64 fields, those that
     * are left out would go beyond 32 KiB together. */
    void (*log)(const struct certcast_host*, uint32_t level, certcast_str message,
                const certcast_field* fields, uint64_t field_count);
    /** permille 0 to 1000. */
    void (*progress)(const struct certcast_host*, uint32_t permille, certcast_str what);

    /** A CERTCAST_CANCEL_ value. */
    uint32_t (*cancelled)(const struct certcast_host*);
    /** Becomes and stays readable when the attempt is to stop. Poll it; do not read or close it. */
    int32_t (*cancel_fd)(const struct certcast_host*);
    /** CLOCK_MONOTONIC, in nanoseconds. */
    int64_t (*deadline_ns)(const struct certcast_host*);

    /** The text of a SECRET parameter's secret, asked for when needed. */
    int32_t (*secret)(const struct certcast_host*, certcast_str name, uint32_t flags,
                      certcast_bytes* out);
    int32_t (*material)(const struct certcast_host*, const certcast_material_query*,
                        certcast_bytes* out);
    /** inspect and verify. */
    int32_t (*live)(const struct certcast_host*, const certcast_live*);

    /** Records what undoing the next change takes. Durable once it returns CERTCAST_OK, and only
     *  then may the change be made. deploy and settle only; at most 16 MiB, and 1,000 steps of
     *  60 MiB together. */
    int32_t (*step)(const struct certcast_host*, certcast_str label, certcast_bytes undo);
    /** rollback only: step `index` of the job is undone. */
    int32_t (*step_undone)(const struct certcast_host*, uint64_t index);
    /** Replaces the state that later runs see, at most 1 MiB. Not in validate. */
    int32_t (*set_state)(const struct certcast_host*, certcast_bytes state);

    /** Gives the deployment's slot to others and keeps its locks. CERTCAST_OK: the time elapsed. */
    int32_t (*wait)(const struct certcast_host*, uint64_t milliseconds, certcast_str why);
    /** Until unprotect, at most `milliseconds` and the descriptor's longest, no kill. */
    int32_t (*protect)(const struct certcast_host*, uint64_t milliseconds);
    int32_t (*unprotect)(const struct certcast_host*);

    /** Runs the operator's own command that the COMMAND parameter holds, outside the sandbox. Not
     *  in validate. Its
     *  variables reach it as environment variables CERTCAST_<NAME>. CERTCAST_OK: it ran;
     *  look at its status. */
    int32_t (*run_command)(const struct certcast_host*, certcast_str param,
                           const certcast_field* variables, uint64_t variable_count,
                           certcast_command_result* out);
    /** The same, once for all deployments that ask for an equal command with an equal identity.
     * Where it fails for several, each should fail and be rolled back: then they are tried again
     * apart, until what broke it is alone. */
    int32_t (*request_reload)(const struct certcast_host*, certcast_str identity,
                              certcast_str param, certcast_command_result* out);

    /** validate and inspect: a finding about the configuration. severity CERTCAST_ERROR fails the
     *  stage. path as in "files[1].key". */
    int32_t (*diagnose)(const struct certcast_host*, uint32_t severity, certcast_str path,
                        certcast_str summary, certcast_str detail);
    /** Why the stage is about to return CERTCAST_FAILED. The first one counts. code: a word of the
     *  remote side's, may be empty. */
    int32_t (*fail)(const struct certcast_host*, uint32_t category, uint32_t retry,
                    uint64_t retry_after_ms, certcast_str code, certcast_str message);

    /** deploy only. */
    int32_t (*set_changed)(const struct certcast_host*, uint64_t certificate, uint32_t yes);
    /** A fact for the report, such as the remote id of what was uploaded. */
    int32_t (*output)(const struct certcast_host*, certcast_str name, certcast_str value);
    /** The text behind the last error that a host function returned. */
    certcast_str (*last_error)(const struct certcast_host*);
    /** "certcast.<name>/<revision>", or NULL. "certcast.session/1" is in session.h. */
    const void* (*get_extension)(const struct certcast_host*, certcast_str id);
} certcast_host;

/* Job: what one stage is told */

enum {
    CERTCAST_JOB_DRY_RUN = 1u << 0,
    CERTCAST_JOB_FORCE = 1u << 1,
    /** rollback, and the verify after it: the former certificate is what is expected now. */
    CERTCAST_JOB_RECOVERING = 1u << 2
};

/** A recorded step. Read with a stride. */
typedef struct certcast_step {
    certcast_str label;
    certcast_bytes undo;
    uint32_t attempt;
    /** 1: step_undone was called for it. */
    uint32_t undone;
} certcast_step;

typedef struct certcast_job {
    uint64_t size;
    uint32_t stage;
    /** From 1. */
    uint32_t attempt;
    uint64_t flags;
    certcast_str deployment;
    /** Name of the target, empty without targets; and what the pipeline says of it (a MAP). */
    certcast_str target;
    const certcast_value* target_values;
    /** The pipeline's names of the certificates, in the deployment's order. */
    const certcast_str* certificates;
    uint64_t certificate_count;
    /** An OBJECT with every parameter of the schema, in its order. */
    const certcast_value* config;
    /** Oldest first; undo them from the last to the first. close sees none. */
    const certcast_step* steps;
    uint64_t step_count;
    uint64_t step_stride;
    /** What set_state stored in an earlier run, and the version of the plugin that did. */
    certcast_bytes state;
    certcast_str state_version;
    /** An empty folder of this attempt, removed afterwards. In validate it may hold what the
     *  validation of others has left. */
    certcast_str work_folder;
    const certcast_host* host;
} certcast_job;

/* Deployer and entry */

/** Order within one process: create, some of the stages, close, destroy. inspect to settle normally
 *  run on one object, so a login may be kept; rollback may run on a fresh one in a fresh process,
 *  where the job's steps are all there is. validate has no secret and no network and shares nothing
 *  with later stages; a process may validate several deployments, one after the other, each on an
 *  object of its own that is closed before the next. What is static stays; the job, its host and
 *  what they have given end with close. Every stage may be killed anywhere. NULL: the deployer has
 *  no such stage. */
typedef struct certcast_deployer {
    uint64_t size;
    const certcast_descriptor* descriptor;
    /** NULL: failed, after host->fail. */
    void* (*create)(const certcast_job*);
    int32_t (*validate)(void* self, const certcast_job*);
    /**
     * Read-only. Finds the targets of a pipeline's entry that says { discover = true }: answers
     * with host->output for each, at most 1,000, whose name is the target's: letters, digits and
     * "-_.:@", neither - nor . in front. In the configuration ${target.name} is "target".
     */
    int32_t (*discover)(void* self, const certcast_job*);
    /** Read-only. Answers with host->live for each certificate. */
    int32_t (*inspect)(void* self, const certcast_job*);
    /** Idempotent. Required. */
    int32_t (*deploy)(void* self, const certcast_job*);
    int32_t (*verify)(void* self, const certcast_job*);
    /** After the proof: removes what was replaced. Failing here is a warning. */
    int32_t (*settle)(void* self, const certcast_job*);
    int32_t (*rollback)(void* self, const certcast_job*);
    int32_t (*close)(void* self, const certcast_job*);
    void (*destroy)(void* self);
    const void* (*get_extension)(void* self, certcast_str id);
} certcast_deployer;

typedef struct certcast_plugin {
    uint64_t size;
    uint32_t abi_major;
    uint32_t abi_minor;
    const certcast_deployer* deployers;
    uint64_t deployer_count;
    uint64_t deployer_stride;
} certcast_plugin;

/** Pure: no I/O, no thread, no allocation. */
CERTCAST_EXPORT const certcast_plugin* certcast_plugin_v1(void);

#ifdef __cplusplus
}
#endif

#endif
