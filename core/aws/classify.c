/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/classify.h"

#include <string.h>

static bool one_of(const char *code, const char *const *codes)
{
    for (; *codes != NULL; codes++)
        if (strcmp(code, *codes) == 0) return true;
    return false;
}

PmStatus pm_aws_classify(int http_status, const char *code)
{
    static const char *const transient[] = {"RequestTimeout",
                                            "RequestTimeoutException",
                                            "InternalError",
                                            "InternalFailure",
                                            "ServiceUnavailable",
                                            "SlowDown",
                                            "Throttling",
                                            "ThrottlingException",
                                            "ThrottledException",
                                            "TooManyRequestsException",
                                            "RequestLimitExceeded",
                                            "BandwidthLimitExceeded",
                                            "RequestThrottled",
                                            "RequestThrottledException",
                                            "ProvisionedThroughputExceededException",
                                            "PriorRequestNotComplete",
                                            "TransactionInProgressException",
                                            "EC2ThrottledException",
                                            "OverLimit",
                                            "KmsThrottled",
                                            "OperationAborted",
                                            "ConditionalRequestConflict",
                                            "BadDigest",
                                            "IncompleteBody",
                                            "XAmzContentSHA256Mismatch",
                                            "IDPCommunicationError",
                                            "IDPCommunicationErrorException",
                                            "XAmzContentChecksumMismatch",
                                            "InvalidPart",
                                            NULL};
    /* What an operator mends: rights, names, keys. The message waits in the queue meanwhile. */
    static const char *const config[] = {"AccessDenied",
                                         "AccessDeniedException",
                                         "InvalidAccessKeyId",
                                         "SignatureDoesNotMatch",
                                         "InvalidClientTokenId",
                                         "UnrecognizedClientException",
                                         "ExpiredToken",
                                         "ExpiredTokenException",
                                         "InvalidToken",
                                         "NoSuchBucket",
                                         "AllAccessDisabled",
                                         "AccountProblem",
                                         "QueueDoesNotExist",
                                         "AWS.SimpleQueueService.NonExistentQueue",
                                         "NonExistentQueue",
                                         "InvalidSecurity",
                                         "IncompleteSignature",
                                         "InvalidSignatureException",
                                         "AuthorizationHeaderMalformed",
                                         "PermanentRedirect",
                                         "RequestTimeTooSkewed",
                                         "KmsAccessDenied",
                                         "KmsDisabled",
                                         "KmsInvalidKeyUsage",
                                         "KmsInvalidState",
                                         "KmsNotFound",
                                         "KmsOptInRequired",
                                         "AccessControlListNotSupported",
                                         "IllegalLocationConstraintException",
                                         "InvalidStorageClass",
                                         "InvalidEncryptionAlgorithmError",
                                         "InvalidBucketName",
                                         "MissingAuthenticationToken",
                                         NULL};
    /* Comes with 501, about a header of the request: repeating it is of no use. */
    if (strcmp(code, "NotImplemented") == 0) return PM_BAD_CONFIG;
    if (one_of(code, transient) || http_status >= 500 || http_status == 429 || http_status == 408) return PM_TRANSIENT;
    if (one_of(code, config) || strncmp(code, "KMS.", 4) == 0 || http_status == 401 || http_status == 403 ||
        http_status == 407 || (http_status >= 300 && http_status < 400))
        return PM_BAD_CONFIG;
    if (http_status == 409) return PM_TRANSIENT;
    if (http_status >= 200 && http_status < 300 && code[0] == '\0') return PM_OK;
    /* A service names its reasons. Without one it is the answer to a HEAD, or of something that stands before the
     * service; what it says is not a verdict on the request. What a HEAD can say without words is kept. */
    bool wordless = http_status == 404 || http_status == 412 || http_status == 416;
    return code[0] == '\0' && !wordless ? PM_TRANSIENT : PM_BAD_INPUT;
}
