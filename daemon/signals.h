/* The signals that people and service managers send: SIGINT, SIGTERM, SIGHUP. The loop takes them;
 * where it does not, they are held back, since what they do without a handler is to end the
 * process. */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

/* Between the two, signals of the loop's wait. A thread that is created then never gets one, nor do
 * those that it creates. Whoever closes the loop's handles holds first, and for good: all is done,
 * and how it went is still to be said. */
void signals_hold(void);
void signals_let(void);

#endif
