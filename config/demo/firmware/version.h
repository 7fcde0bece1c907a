#ifndef VERSION_H
#define VERSION_H

/* The one line to change to see a new build land on the boards. */
#define VERSION "demo 1.0.0"

#endif
