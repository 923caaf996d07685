// SPDX-License-Identifier: Apache-2.0
// kubernetes.mjs MODULES FILE...: each document of the files must satisfy the JSON schema of its kind. KEDA's two kinds included.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const modules = path.resolve(process.argv[2]);
const yaml = createRequire(path.join(modules, "x.js"))("yaml");
let failed = 0;
for (const file of process.argv.slice(3)) {
    for (const document of yaml.parseAllDocuments(fs.readFileSync(file, "utf8"))) {
        const object = document.toJS();
        if (object.kind === "Kustomization") continue; // no schema of it in these packages
        const root = object.apiVersion.startsWith("keda.sh/") ? "@kubernetes-models/keda" : "kubernetes-models";
        try {
            const module = await import(pathToFileURL(path.join(modules, root, object.apiVersion, `${object.kind}.js`)));
            new module[object.kind](object).validate();
        } catch (error) {
            failed++;
            console.error(`${path.basename(file)}: ${object.kind}: ${error.message}`);
        }
    }
}
process.exit(failed ? 1 : 0);
