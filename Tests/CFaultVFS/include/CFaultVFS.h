#ifndef CFAULTVFS_H
#define CFAULTVFS_H

/* A SQLite VFS named "faulty" over the default one (sqlite.org/vfs.html): its calls can be made to fail, and what was
 * written and not synced can be taken back, as a loss of power does. One at a time: its state is the process's. */

/* Registers it; 0 or an SQLite error. */
int fault_vfs_register(void);

/* Lets the nth call from now fail with an SQLite result code, once or it and every later one; 0 for none. Counting
 * begins anew. */
void fault_vfs_arm(long nth, int code, int sticky);

/* The calls since the last fault_vfs_arm. */
long fault_vfs_calls(void);

/* Takes back every write and truncation that was not synced, file by file. Call with the database closed. */
void fault_vfs_lose_power(void);

/* Forgets unsynced writes without taking them back. */
void fault_vfs_keep_writes(void);

#endif
