/* Changes folder, umask, locale, environment, signal handlers and mask. */
#include "misbehaving.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

static int32_t deploy(void* self, const certcast_job* job) {
    sigset_t all;
    int number;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (number = 1; number < NSIG; ++number) signal(number, SIG_IGN);
    umask(0);
    clearenv();
    setlocale(LC_ALL, "tr_TR.UTF-8");
    if (chdir("/") != 0) return CERTCAST_FAILED;
    return changed(job);
}
MISBEHAVING_PLUGIN("test-disturbs-its-process")
