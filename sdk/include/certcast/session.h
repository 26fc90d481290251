/* SPDX-License-Identifier: Apache-2.0
 *
 * certcast.session/1: what a deployment has found out of its account, such as a login or a right,
 * is kept by the host for the others of the run with the same account, and only in its memory.
 */
#ifndef CERTCAST_SESSION_H
#define CERTCAST_SESSION_H

#include <certcast/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/** For get_extension. */
#define CERTCAST_SESSION_1 "certcast.session/1"

/** For deployments of one deployer with equal ACCOUNT values, at least one of which is given. What
 *  is kept comes from another process: it is to be checked like whatever a server sends. */
typedef struct certcast_session {
    uint64_t size;
    /** What is kept under `name`, at most 256 bytes. `refused` is an answer that has proved wrong
     *  and is dropped; may be empty. While another deployment finds it out it is waited for, at
     *  most for `patience_ms`.
     *  CERTCAST_OK: *out, until the stage ends.
     *  CERTCAST_E_NOT_FOUND: the caller is to find it out, and others may wait until it is kept or
     *  this stage has ended.
     *  CERTCAST_E_CANCELLED: the stage is to stop.
     *  Others: it cannot be shared, in validate for instance, and everybody finds it out alone. */
    int32_t (*find)(const certcast_host*, certcast_str name, certcast_bytes refused,
                    uint64_t patience_ms, certcast_bytes* out);
    /** Keeps what was looked for under that name for `lifetime_ms`, until the run ends at most.
     *  What has more than 64 KiB, or all of an account together more than 1 MiB or 1,000 names, is
     *  not kept. */
    void (*keep)(const certcast_host*, certcast_str name, certcast_bytes answer,
                 uint64_t lifetime_ms);
} certcast_session;

#ifdef __cplusplus
}
#endif

#endif
