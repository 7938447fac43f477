/* Every error that a function here can return, declared once: its code, its class and a sentence
 * for a person. What is to be done about an error depends on its class alone; which code of the
 * server it came from is known to common/db. */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

/* CLASS_TRANSACTION  roll back and repeat the transaction: nobody's fault, it will pass
 * CLASS_CONNECTION   the connection is gone; what became of the last request has to be read back
 * CLASS_STOP         told to stop, or lost what we held: leave without touching anything
 * CLASS_PERMANENT    repeating changes nothing: somebody has to look */
enum err_class { CLASS_OK, CLASS_TRANSACTION, CLASS_CONNECTION, CLASS_STOP, CLASS_PERMANENT };

#define ERR_TABLE(X)                                                                               \
    X(OK, OK, "done")                                                                              \
    X(ERR_DEADLOCK, TRANSACTION, "deadlock: the server rolled the transaction back")               \
    X(ERR_LOCK_WAIT, TRANSACTION, "a lock was not to be had in time")                              \
    X(ERR_CONFLICT, TRANSACTION, "the row changed after it was read")                              \
    X(ERR_SHORTAGE, TRANSACTION, "the server is short of room or memory")                          \
    X(ERR_LOST, CONNECTION, "the connection to the database was lost")                             \
    X(ERR_UNREACHABLE, CONNECTION, "the database cannot be reached")                               \
    X(ERR_READ_ONLY, CONNECTION, "the server is read-only")                                        \
    X(ERR_UNSAFE, CONNECTION, "the server is not one that may be worked on")                       \
    X(ERR_BEHIND, CONNECTION, "the database lacks what it had acknowledged")                       \
    X(ERR_STOPPED, STOP, "stopped on request")                                                     \
    X(ERR_FENCED, STOP, "another process has taken the work over")                                 \
    X(ERR_BUSY, STOP, "somebody else is at it")                                                    \
    X(ERR_TIMEOUT, STOP, "timed out")                                                              \
    X(ERR_SQL, PERMANENT, "the server refused a statement")                                        \
    X(ERR_DUPLICATE, PERMANENT, "a row with this key exists already")                              \
    X(ERR_ACCESS, PERMANENT, "the server refused the user")                                        \
    X(ERR_SCHEMA, PERMANENT, "the schema is not the one that this program needs")                  \
    X(ERR_SETTING, PERMANENT, "a setting of the server makes it unsafe")                           \
    X(ERR_OVERFLOW, PERMANENT, "a number does not fit")                                            \
    X(ERR_INVALID, PERMANENT, "the input is not valid")                                            \
    X(ERR_CONFIG, PERMANENT, "the configuration is not valid")                                     \
    X(ERR_USAGE, PERMANENT, "the command line is not understood")                                  \
    X(ERR_NOT_FOUND, PERMANENT, "there is no such thing")                                          \
    X(ERR_REFUSED, PERMANENT, "this cannot be done now")                                           \
    X(ERR_CLOSED, PERMANENT, "the day is closed already")                                          \
    X(ERR_SKIP_LIMIT, PERMANENT, "too many items were skipped")                                    \
    X(ERR_CHECK_FAILED, PERMANENT, "a check of the results failed")                                \
    X(ERR_STEP_FAILED, PERMANENT, "a step failed")                                                 \
    X(ERR_IO, PERMANENT, "a file could not be read or written")                                    \
    X(ERR_MEMORY, PERMANENT, "out of memory")

enum err {
#define ERR_CODE(code, class, sentence) code,
    ERR_TABLE(ERR_CODE)
#undef ERR_CODE
};

/* The code's name ("ERR_DEADLOCK"), its class, its sentence. They never fail and never return
 * NULL. */
const char *err_name(enum err err);
const char *err_text(enum err err);
enum err_class err_class(enum err err);

#endif
