// Last of the scripts: every view is known, draw.
"use strict";

Conduit.page.start();
