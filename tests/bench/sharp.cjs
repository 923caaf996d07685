// SPDX-License-Identifier: Apache-2.0
// sharp.cjs FOLDER RULE OUT SIZE[,SIZE...] FILE...: the same renditions by the sharp that is installed in FOLDER.
const path = require('path');
const [folder, , out, list, ...files] = process.argv.slice(2);
const sharp = require(path.join(folder, 'node_modules/sharp'));
sharp.cache(false);
sharp.concurrency(1);
const sizes = list.split(',').map((size) => ({ side: parseInt(size), cover: size.includes('x') }));
(async () => {
  for (const file of files)
    for (const { side, cover } of sizes)
      await sharp(file)
        .resize(side, side, { fit: cover ? 'cover' : 'inside' })
        .jpeg({ quality: 80 })
        .toFile(path.join(out, `${path.basename(file)}_${side}.jpg`));
})();
