// Last of the scripts: open the trace.
"use strict";

Conduit.traceFrame.start();
