// SPDX-License-Identifier: Apache-2.0
// sharp.cjs FOLDER KIND EXT MARK OUT SIZE[,SIZE...] FILE...: the same renditions by the sharp that is installed in FOLDER, with the
// encoder's settings that pixmill has: Huffman tables of the standard, colour at half resolution.
const path = require('path');
const [folder, kind, ext, mark, out, list, ...files] = process.argv.slice(2);
const sharp = require(path.join(folder, 'node_modules/sharp'));
sharp.cache(false);
sharp.concurrency(1);
const sizes = list.split(',').map((size) => ({ side: parseInt(size) || 0, cover: size.includes('x') }));
const encode = {
  jpg: (image) => image.jpeg({ quality: 80, optimiseCoding: false, chromaSubsampling: '4:2:0' }),
  webp: (image) => image.webp({ quality: 80 }),
  png: (image) => image.png({ compressionLevel: 1 }),
}[ext];
(async () => {
  for (const file of files)
    for (const { side, cover } of sizes) {
      let image = sharp(file);
      if (side > 0) image = image.resize(side, side, { fit: cover ? 'cover' : 'inside' });
      if (kind === 'watermark') image = image.composite([{ input: mark, gravity: 'southeast' }]);
      await encode(image).toFile(path.join(out, `${path.basename(file)}_${side}.${ext}`));
    }
})();
