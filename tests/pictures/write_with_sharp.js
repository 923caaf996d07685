// SPDX-License-Identifier: Apache-2.0
// write_with_sharp.js IN OUT FORMAT SETTINGS [METADATA]: a file as sharp writes it; settings and metadata are JSON.
const [, , from, to, format, settings, metadata] = process.argv;
const sharp = require("sharp");
let picture = sharp(from, { animated: true }).toFormat(format, JSON.parse(settings));
if (metadata) picture = picture.withMetadata(JSON.parse(metadata));
picture.toFile(to).catch((error) => {
    console.error(error.message);
    process.exit(1);
});
