// A life of a task as a user of devour writes it; prints what the client made of each answer.
import { createRequire } from "node:module";

const JsonApi = createRequire(`${process.cwd()}/`)("devour-client");
const [apiUrl, token, firstUrl, secondUrl, isrc] = process.argv.slice(2);

const api = new JsonApi({
  apiUrl,
  bearer: token,
  // Types are published in the plural.
  pluralize: false,
  logger: false,
  errorBuilder: (error) => error,
});
api.define("tracks", { title: "", isrc: "" });
// One more name for the same, as it is called below a task.
api.define("track", { title: "", isrc: "" }, { collectionPath: "track" });
api.define(
  "atmos-import-tasks",
  { url: "", secondaryIsrc: "", status: "", track: { jsonApi: "hasOne", type: "tracks" } },
  { readOnly: ["status"] },
);

const track = (await api.create("tracks", { title: "A track for devour" })).data;
const created = (
  await api.create("atmos-import-tasks", {
    url: firstUrl,
    secondaryIsrc: isrc,
    track: { type: "tracks", id: track.id },
  })
).data;
const listed = await api.findAll("atmos-import-tasks", {
  filter: { "track-id": track.id },
  page: { size: 5, number: 1 },
});
const one = () => api.one("atmos-import-tasks", created.id);
const got = (await one().get()).data;
const included = (await one().get({ include: "track" })).data;
const followed = (await one().all("track").get()).data;
const updated = (await api.update("atmos-import-tasks", { id: created.id, url: secondUrl })).data;
await api.destroy("atmos-import-tasks", created.id);
const gone = await one()
  .get()
  .catch((errors) => errors[0].status);
const refused = await api
  .create("atmos-import-tasks", { url: "no url" })
  .catch((errors) => Object.values(errors).map((error) => error.source.pointer));

console.log(
  JSON.stringify({
    track: track.id,
    created: { id: created.id, status: created.status },
    listed: { ids: listed.data.map((task) => task.id), total: listed.meta.page.total },
    got: got.url,
    included: included.track.title,
    followed: { id: followed.id, title: followed.title },
    updated: updated.url,
    gone,
    refused,
  }),
);
