// A life of a task as a user of kitsu writes it; prints what the client made of each answer.
import Kitsu from "kitsu";

const [baseURL, token, firstUrl, secondUrl, isrc] = process.argv.slice(2);
const TASKS = "atmos-import-tasks";

const api = new Kitsu({
  baseURL,
  headers: { Authorization: `Bearer ${token}` },
  // Names go over the wire as they are published.
  camelCaseTypes: false,
  pluralize: false,
  resourceCase: "none",
});

const track = (await api.create("tracks", { title: "A track for kitsu" })).data;
const created = (
  await api.create(TASKS, {
    url: firstUrl,
    secondaryIsrc: isrc,
    track: { data: { type: "tracks", id: track.id } },
  })
).data;
const listed = await api.get(TASKS, {
  params: { filter: { "track-id": track.id }, page: { size: 5, number: 1 } },
});
const got = (await api.get(`${TASKS}/${created.id}`)).data;
const included = (await api.get(`${TASKS}/${created.id}`, { params: { include: "track" } })).data;
const followed = (await api.get(`${TASKS}/${created.id}/track`)).data;
const updated = (await api.update(TASKS, { id: created.id, url: secondUrl })).data;
await api.delete(TASKS, created.id);
const gone = await api.get(`${TASKS}/${created.id}`).catch((error) => error.errors[0].status);
const refused = await api
  .create(TASKS, { url: "no url" })
  .catch(({ errors }) => errors.map((error) => error.source.pointer));

console.log(
  JSON.stringify({
    track: track.id,
    created: { id: created.id, status: created.status },
    listed: { ids: listed.data.map((task) => task.id), total: listed.meta.page.total },
    got: got.url,
    included: included.track.data.title,
    followed: { id: followed.id, title: followed.title },
    updated: updated.url,
    gone,
    refused,
  }),
);
