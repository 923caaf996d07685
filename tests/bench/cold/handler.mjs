// SPDX-License-Identifier: Apache-2.0
// A Lambda function in JavaScript, with its own loop over the Runtime API: S3 object in, 300x300 JPEG out (AWS SDK and sharp).
import path from 'node:path'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import sharp from 'sharp'

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`
const s3 = new S3Client({ endpoint: process.env.AWS_ENDPOINT_URL_S3, region: process.env.AWS_REGION, forcePathStyle: true })

async function handle(event) {
  for (const message of event.Records) {
    for (const record of JSON.parse(message.body).Records) {
      const Key = decodeURIComponent(record.s3.object.key.replaceAll('+', ' '))
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: record.s3.bucket.name, Key }))
      const out = await sharp(await Body.transformToByteArray()).rotate().resize(300, 300).jpeg({ quality: 80 }).toBuffer()
      await s3.send(new PutObjectCommand({ Bucket: process.env.TARGET, Key: `${path.parse(Key).name}.jpg`, Body: out, ContentType: 'image/jpeg' }))
    }
  }
  return { batchItemFailures: [] }
}

for (;;) {
  const asked = await fetch(`${api}/next`)
  const request = asked.headers.get('lambda-runtime-aws-request-id')
  const answer = JSON.stringify(await handle(await asked.json()))
  await fetch(`${api}/${request}/response`, { method: 'POST', body: answer, headers: { 'Content-Type': 'application/json' } })
}
