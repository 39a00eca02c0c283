// Opens, reviews and merges a pull request and runs a pipeline with the npm package bitbucket; prints the results as JSON.
"use strict";
const { Bitbucket } = require("bitbucket");

const [baseUrl, username, password] = process.argv.slice(2);
const bitbucket = new Bitbucket({ baseUrl, auth: { username, password }, notice: false });
const at = { workspace: "acme", repo_slug: "api" };

async function all(first) {
  const values = [...first.data.values];
  for (let page = first.data; bitbucket.hasNextPage(page); ) {
    page = (await bitbucket.getNextPage(page)).data;
    values.push(...page.values);
  }
  return values;
}

async function main() {
  const repositories = await all(await bitbucket.repositories.list({ workspace: "acme" }));
  const head = (await bitbucket.refs.getBranch({ ...at, name: "main" })).data.target.hash;
  await bitbucket.refs.createBranch({ ...at, _body: { name: "topic", target: { hash: head } } });
  await bitbucket.source.createFileCommit({ ...at, branch: "topic", message: "Add a page", "docs/page.md": "# Page\n" });
  const opened = await bitbucket.pullrequests.create({
    ...at,
    _body: { type: "pullrequest", title: "Add a page", source: { branch: { name: "topic" } } },
  });
  const pull = { ...at, pull_request_id: opened.data.id };
  await bitbucket.pullrequests.createComment({ ...pull, _body: { content: { raw: "Why?" } } });
  await bitbucket.pullrequests.createApproval(pull);
  const diffstat = await all(await bitbucket.pullrequests.getDiffStat(pull));
  const activity = await all(await bitbucket.pullrequests.listActivities({ ...pull, pagelen: 2 }));
  const merged = await bitbucket.pullrequests.merge({ ...pull, _body: { type: "pullrequest", merge_strategy: "squash" } });
  const commits = await all(await bitbucket.commits.list({ ...at, pagelen: 2 }));
  const file = await bitbucket.source.read({ ...at, commit: "HEAD", path: "docs/page.md" });
  const pipeline = await bitbucket.pipelines.create({
    ...at,
    _body: { target: { type: "pipeline_ref_target", ref_type: "branch", ref_name: "main" } },
  });
  const refused = await bitbucket.pullrequests.get({ ...at, pull_request_id: 99 }).catch((error) => error.status);
  console.log(
    JSON.stringify({
      repositories: repositories.map((each) => each.slug),
      changed: diffstat.map((each) => each.new.path),
      activity: activity.map((each) => Object.keys(each).find((key) => key !== "pull_request")).sort(),
      state: merged.data.state,
      commits: commits.length,
      file: file.data.toString(),
      pipeline: pipeline.data.build_number,
      refused,
    }),
  );
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
