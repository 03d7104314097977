// Upload tracks as a user of the official client writes them; prints what the client made of each.
import { buildClient } from "@datocms/cma-client-node";

const [baseUrl, apiToken, clip, subtitles, sound, subtitlesUrl, badUrl] = process.argv.slice(2);
const client = buildClient({ apiToken, baseUrl, environment: null });

const upload = await client.uploads.createFromLocalFile({ localPath: clip });
const listed = await client.uploads.list();

async function put(localPath) {
  // The first half of createFromLocalFile, which the client has no call of its own for.
  const { readFile } = await import("node:fs/promises");
  const filename = localPath.split("/").pop();
  const request = await client.uploadRequest.create({ filename });
  const body = await readFile(localPath);
  const answer = await fetch(request.url, { method: "PUT", headers: request.request_headers, body });
  if (!answer.ok) throw new Error(await answer.text());
  return request.id;
}

async function track(attributes) {
  return client.uploadTracks.create(upload.id, attributes);
}

const created = [
  await track({ url_or_upload_request_id: await put(subtitles), type: "subtitles", language_code: "it-IT" }),
  await track({ url_or_upload_request_id: await put(sound), type: "audio", language_code: "de" }),
  await track({ url_or_upload_request_id: subtitlesUrl, type: "subtitles", language_code: "en", closed_captions: true }),
];
const refused = await track({
  url_or_upload_request_id: badUrl,
  type: "subtitles",
  language_code: "fr",
}).catch((error) => error.errors.map(({ attributes }) => attributes.details.code));
const changed = await client.request({
  method: "PUT",
  url: `/uploads/${upload.id}/tracks/${created[0].id}`,
  body: { data: { type: "upload_track", id: created[0].id, attributes: { name: "Sottotitoli" } } },
});
const deleted = await client.uploadTracks.destroy(upload.id, created[1].id);
const left = await client.uploadTracks.list(upload.id);
await client.uploads.destroy(upload.id);
const gone = await client.uploads.find(upload.id).catch((error) => error.findError("NOT_FOUND").attributes.code);

console.log(
  JSON.stringify({
    upload: { filename: upload.filename, size: upload.size },
    listed: listed.map(({ id }) => id === upload.id),
    created: created.map(({ name, type, status, closed_captions }) => ({ name, type, status, closed_captions })),
    refused,
    changed: changed.data.attributes.name,
    deleted: deleted.id === created[1].id,
    left: left.map(({ language_code, status }) => [language_code, status]),
    gone,
  }),
);
