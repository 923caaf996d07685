// SPDX-License-Identifier: Apache-2.0
// kubernetes.cjs MODULES FILE...: each document of the files must satisfy the JSON schema of its kind. KEDA's two kinds included.
"use strict";
const fs = require("fs");
const path = require("path");
const modules = process.argv[2];
const load = (name) => require(path.join(modules, name));
const yaml = load("yaml");
let failed = 0;
for (const file of process.argv.slice(3)) {
    for (const document of yaml.parseAllDocuments(fs.readFileSync(file, "utf8"))) {
        const object = document.toJS();
        if (object.kind === "Kustomization") continue; // no schema of it in these packages
        const root = object.apiVersion.startsWith("keda.sh/") ? "@kubernetes-models/keda" : "kubernetes-models";
        try {
            const Kind = load(`${root}/${object.apiVersion}/${object.kind}`)[object.kind];
            new Kind(object).validate();
        } catch (error) {
            failed++;
            console.error(`${path.basename(file)}: ${object.kind}: ${error.message}`);
        }
    }
}
process.exit(failed ? 1 : 0);
