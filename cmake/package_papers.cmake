# After files are packed: beside them what is in them (SPDX 2.3, PIXMILL.spdx.json) and their checksums (SHA256SUMS). CPACK_PIXMILL_PARTS
# has NAME|VERSION|LICENCE of each library that the build was linked with. The date is SOURCE_DATE_EPOCH's, where that is set.
string(TIMESTAMP created "%Y-%m-%dT%H:%M:%SZ" UTC)
set(files "")
foreach(file IN LISTS CPACK_PACKAGE_FILES)
  if(file MATCHES "\\.deb$")
    get_filename_component(name ${file} NAME)
    file(SHA256 ${file} sum)
    list(APPEND files "${sum}  ${name}")
  endif()
endforeach()
list(SORT files)

# part(NAME VERSION LICENCE): one package of the document, appended to `packages`
macro(part name version licence)
  string(APPEND packages "${separator}
    {\"name\": \"${name}\", \"SPDXID\": \"SPDXRef-${name}\", \"versionInfo\": \"${version}\", \"downloadLocation\": \"NOASSERTION\", \"filesAnalyzed\": false,
     \"licenseConcluded\": \"${licence}\", \"licenseDeclared\": \"${licence}\", \"copyrightText\": \"NOASSERTION\"}")
  set(separator ",")
endmacro()
set(packages "")
set(separator "")
set(relations "    {\"spdxElementId\": \"SPDXRef-DOCUMENT\", \"relationshipType\": \"DESCRIBES\", \"relatedSpdxElement\": \"SPDXRef-pixmill\"}")
part(pixmill ${CPACK_PACKAGE_VERSION} Apache-2.0)
foreach(entry IN LISTS CPACK_PIXMILL_PARTS)
  string(REPLACE "|" ";" fields "${entry}")
  list(GET fields 0 name)
  list(GET fields 1 version)
  list(GET fields 2 licence)
  part(${name} ${version} ${licence})
  string(APPEND relations ",\n    {\"spdxElementId\": \"SPDXRef-pixmill\", \"relationshipType\": \"DYNAMIC_LINK\", \"relatedSpdxElement\": \"SPDXRef-${name}\"}")
endforeach()
# A name for this document alone: of what it tells of.
string(SHA256 id "${files}${packages}")
set(paper pixmill_${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}.spdx.json)
file(WRITE ${CPACK_PACKAGE_DIRECTORY}/${paper} "{
  \"spdxVersion\": \"SPDX-2.3\",
  \"dataLicense\": \"CC0-1.0\",
  \"SPDXID\": \"SPDXRef-DOCUMENT\",
  \"name\": \"pixmill-${CPACK_PACKAGE_VERSION}\",
  \"documentNamespace\": \"https://pixmill.invalid/spdx/${id}\",
  \"creationInfo\": {\"created\": \"${created}\", \"creators\": [\"Tool: pixmill-${CPACK_PACKAGE_VERSION}\"]},
  \"packages\": [${packages}
  ],
  \"relationships\": [
${relations}
  ]
}
")
file(SHA256 ${CPACK_PACKAGE_DIRECTORY}/${paper} sum)
list(APPEND files "${sum}  ${paper}")
list(JOIN files "\n" sums)
file(WRITE ${CPACK_PACKAGE_DIRECTORY}/SHA256SUMS "${sums}\n")
