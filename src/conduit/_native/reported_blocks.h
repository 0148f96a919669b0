/* Memory that extensions report to tracemalloc: the contents of numpy's arrays above all. */
#ifndef CONDUIT_REPORTED_BLOCKS_H
#define CONDUIT_REPORTED_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

/* Called in the reporting thread, mostly with the GIL: a block has been allocated or resized; a block is about to be
 * freed. */
typedef void (*BlockReported)(void *block, size_t size);
typedef void (*BlockWithdrawn)(const void *block);

/* The users, each with its own reports; a heap profile and a counting may run at the same time. */
typedef enum { REPORTS_FOR_HEAP, REPORTS_FOR_COUNTS, REPORT_USERS } ReportUser;

/* Pass reports on from now on. False: there is no memory, or the tables cannot be written; then no report arrives. */
bool reported_blocks_begin(ReportUser user, BlockReported on_reported, BlockWithdrawn on_withdrawn);
void reported_blocks_end(ReportUser user);

/* Around fork, in the parent; the second one in the child too. */
void reported_blocks_before_fork(void);
void reported_blocks_after_fork(void);

#endif
