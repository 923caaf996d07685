// SPDX-License-Identifier: Apache-2.0
// dockerfile.cjs MODULES FILE: what a linter of Dockerfiles says of FILE; exit code 1 when it says something.
"use strict";
const fs = require("fs");
const path = require("path");
const { validate } = require(path.join(process.argv[2], "dockerfile-utils"));
const found = validate(fs.readFileSync(process.argv[3], "utf8"));
for (const { message, range } of found) console.error(`${process.argv[3]}:${range.start.line + 1}: ${message}`);
process.exit(found.length ? 1 : 0);
