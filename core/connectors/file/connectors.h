/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders and files, for the registry.
 */
#ifndef PM_CONNECTORS_FILE_CONNECTORS_H
#define PM_CONNECTORS_FILE_CONNECTORS_H

#include "connectors/connector.h"
#include "connectors/file/settings.h"

extern const PmConnector pm_connector_directory, pm_connector_file;

#endif
