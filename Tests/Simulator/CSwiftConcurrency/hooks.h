#pragma once
/* A hook that Swift's runtime keeps for tools (stdlib/public/Concurrency/GlobalExecutor) and declares in no header of a
 * toolchain: in truth a function of Swift's calling convention, of a job and of what would enqueue it. */
extern void *_Nullable swift_task_enqueueGlobal_hook __attribute__((swift_attr("nonisolated(unsafe)")));
