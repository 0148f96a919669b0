// Last of the registry's scripts: every view is known, draw.
"use strict";

Conduit.registry.start();
