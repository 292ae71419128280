// SPDX-License-Identifier: Apache-2.0
// What an answer can't see, said with the cure; and the judgement of a line. Pure functions of the view.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fdio.h"
#include "base/human.h"
#include "xray/xray_view.h"

bool view_line(const struct xray_view *v, enum ledger_category category, struct judge_line *ret)
{
    static const enum mem_line lines[LEDGER_CATEGORY_N] = {
        [LEDGER_ANON] = LINE_ANON,        [LEDGER_FILES] = LINE_TMPFS,   [LEDGER_SHARED] = LINE_SHARED_MEMORY,
        [LEDGER_CACHE] = LINE_PAGE_CACHE, [LEDGER_KERNEL] = LINE_KERNEL,
    };

    if (!v->judged || category >= LEDGER_UNEXPLAINED || !v->judge.line[lines[category]].known)
        return false;
    *ret = v->judge.line[lines[category]];
    return true;
}

void view_note(struct xray_view *v, const char *fmt, ...)
{
    va_list ap;

    if (v->n_notes == VIEW_NOTES)
        return;
    va_start(ap, fmt);
    vsnprintf(v->notes[v->n_notes++], VIEW_NOTE, fmt, ap);
    va_end(ap);
}

// What makes a server's processes open to their own user though they changed it; the others' are open to theirs as they are.
static const char *opening_of(enum proc_role role)
{
    switch (role) {
    case ROLE_FPM_MASTER:
    case ROLE_FPM_WORKER:
        return "process.dumpable = yes in php-fpm's pool";
    case ROLE_PLIMSOLL_MASTER:
    case ROLE_PLIMSOLL_EDGE:
    case ROLE_PLIMSOLL_MOLD:
    case ROLE_PLIMSOLL_WORKER:
        return "process.dumpable = yes in plimsoll.conf's [pool]";
    case ROLE_APACHE:
        return "CoreDumpDirectory /tmp in Apache's configuration";
    default:
        return "";
    }
}

// "; or ...": how to see without privileges the one process of those closed to us that there is most to see of.
static const char *cure_without_root(const struct xray_view *v, char text[VIEW_NOTE])
{
    const struct proc_info *most = NULL;
    char as[64] = "";

    for (int32_t i = 0; i < v->see.nprocs; i++) {
        const struct proc_info *p = &v->see.procs[i];
        if (p->visible || p->role == ROLE_XRAY)
            continue;
        // A master that stayed root has less to show than its workers.
        if (!most || (p->uid != 0) > (most->uid != 0) || ((p->uid != 0) == (most->uid != 0) && p->rss_anon > most->rss_anon))
            most = p;
    }
    text[0] = '\0';
    if (!most)
        return text;
    const char *opening = opening_of(most->role);
    if (most->role == ROLE_FRANKENPHP && v->conf.file_caps)
        opening = "setcap -r frankenphp's binary in the image (SERVER_NAME then names a port from 1024 on)";
    if (most->uid != v->uid && most->uid != 0)
        snprintf(as, sizeof as, "run it as their user (docker exec -u %lu)", (unsigned long)most->uid);
    if (*opening || *as)
        snprintf(text, VIEW_NOTE, "; or %s%s%s", opening, *opening && *as ? ", and " : "", as);
    return text;
}

static void note_sight(struct xray_view *v)
{
    int32_t closed = 0;
    char cure[VIEW_NOTE];

    for (int32_t i = 0; i < v->see.nprocs; i++)
        closed += !v->see.procs[i].visible && v->see.procs[i].role != ROLE_XRAY;
    if (v->see.gvisor)
        view_note(v, "gVisor: it has no smaps_rollup and no memory.stat, so shares of shared pages, page cache and kernel memory "
                     "can't be told; files in memory are exact (Shmem).");
    if (v->lacked_files) { // what else is missing is of that; to name other cures would mislead
        view_note(v, "Parts of this answer are missing: %s.", fd_why(v->lacked_files));
        return;
    }
    if (v->see.sight == SIGHT_FULL)
        return;
    if (v->hidden)
        view_note(v, "/proc hides the processes of other users (hidepid): what they hold is unexplained here. Cure: as root with "
                     "--cap-add SYS_PTRACE, or /proc mounted without hidepid.");
    if (!closed && v->hidden)
        return;
    view_note(
        v,
        "Not visible: what %d of %d processes are made of (PHP heap, native, Go) and the owners of deleted files: their maps, "
        "mem and fd are closed to us. Cure: %s%s; Kubernetes: kubectl debug --target CONTAINER --profile=sysadmin.",
        (int)closed, (int)v->see.nprocs,
        v->see.sight == SIGHT_DOCKER ? "--cap-add SYS_PTRACE" : "as root with --cap-add SYS_PTRACE (docker exec -u 0 --privileged)",
        cure_without_root(v, cure));
}

static void note_walk(struct xray_view *v)
{
    char bytes[HUMAN_N];

    if (!v->walk.complete && v->walk.covered >= 0)
        view_note(v, "Files in memory were walked to %.0f %% (%llu entries): sizes of directories are lower bounds.",
                  v->walk.covered * 100, (unsigned long long)v->walk.entries);
    else if (!v->walk.complete)
        view_note(v, "Files in memory were not walked to the end (%llu entries): sizes of directories are lower bounds.",
                  (unsigned long long)v->walk.entries);
    if (v->lacked_files)
        ;
    else if (v->walk.unreadable == 1)
        view_note(v, "A directory in memory can't be read; its files are in the mount's sum only. Cure: run it as root.");
    else if (v->walk.unreadable)
        view_note(v, "%u directories in memory can't be read; their files are in the mount's sum only. Cure: run it as root.",
                  v->walk.unreadable);
    if (!v->see.mounts)
        return;
    for (int i = 0; i < v->see.mounts->n; i++)
        if (v->see.mounts->m[i].kind == MOUNT_HUGETLB && v->see.mounts->m[i].used > 0)
            view_note(v, "%s at %s is hugetlb memory, outside of the container's usage.",
                      human_bytes(v->see.mounts->m[i].used, bytes), v->see.mounts->m[i].path);
}

static void note_limit(struct xray_view *v)
{
    char bytes[HUMAN_N];

    switch (v->limit.from) {
    case MEM_LIMIT_HIGH:
        view_note(v, "The limit is memory.high: the kernel slows the container down there, long before memory.max.");
        break;
    case MEM_LIMIT_ANCESTOR:
        if (v->limit.ancestor_usage >= 0)
            view_note(v, "The limit is that of a group above, which other containers may share: %s of it are in use.",
                      human_bytes(v->limit.ancestor_usage, bytes));
        else
            view_note(v, "The limit is that of a group above, which other containers may share.");
        break;
    case MEM_LIMIT_RAM:
        view_note(v, "No memory limit is set: what limits it is the memory of the machine.");
        break;
    default:
        break;
    }
}

void view_notes(struct xray_view *v)
{
    note_sight(v);
    note_walk(v);
    note_limit(v);
    if (v->see.procs_dropped > 0)
        view_note(v, "%d more processes are counted in the sums only.", (int)v->see.procs_dropped);
    if (v->ledger && v->ledger->dropped > 0)
        view_note(v, "%d more owners are in the ledger's sums only.", (int)v->ledger->dropped);
    if (v->see.mounts && v->see.mounts->dropped > 0)
        view_note(v, "%d more mounts are not shown.", v->see.mounts->dropped);
    if (v->see.segments && v->see.segments->dropped > 0)
        view_note(v, "%d more segments and deleted files are shown in one line together.", v->see.segments->dropped);
    if (v->facts.memory_limit < 0 && v->facts.server != SERVER_UNKNOWN)
        view_note(v, "memory_limit of the running server is not known; the php command's own would say nothing about it.");
}
