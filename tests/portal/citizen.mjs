// A citizen, without signing in: which data are there, what was made of them, how they are used. By day and by night,
// on a desk and on a telephone, in both languages, and without a script.

export async function citizen(person) {
  await person("citizen", {}, byDay);
  await person("citizen-night", { colorScheme: "dark", locale: "en-GB" }, byNight);
  await person("citizen-telephone", { viewport: { width: 390, height: 844 }, javaScriptEnabled: false }, onTheWay);
}

async function byDay(walk) {
  const times = [];
  for (let visit = 0; visit < 12; visit += 1) {
    await walk.go("/");
    times.push(await walk.page.evaluate(() => performance.getEntriesByType("navigation")[0].responseEnd));
  }
  times.sort((one, other) => one - other);
  console.log(`first page: median ${times[6].toFixed(1)} ms, slowest of 12 ${times[11].toFixed(1)} ms until its last byte`);
  await walk.sees("顔は見えない");
  await walk.look("1-home");
  await walk.page.getByRole("link", { name: "カタログ", exact: true }).click();
  await walk.look("2-catalogue");
  await walk.page.getByLabel("表・項目・コードの名前で探す").fill("ｃａｒｅ level");
  await walk.page.getByRole("button", { name: "探す" }).click();
  await walk.sees("要介護");
  await walk.look("3-search");
  await walk.page.getByLabel("表・項目・コードの名前で探す").fill("どこにもない名前");
  await walk.page.getByRole("button", { name: "探す" }).click();
  await walk.sees("見つかりませんでした");
  await walk.go("/catalogue/ndb_diagnosis");
  await walk.sees("傷病名");
  await walk.look("4-table");
  await walk.go("/catalogue/person");
  await walk.sees("公表された分布");
  walk.expect((await walk.page.locator("#figure-sex svg").count()) === 1, "a released distribution is not shown");
  walk.expect((await walk.page.locator("#sex .missing").count()) === 1, "the share of missing values is not shown");
  await walk.look("4-figures");
  await walk.go("/open");
  await walk.look("5-open");
  await walk.go("/record");
  await walk.look("6-record");
  const dcat = await walk.page.request.get(`${walk.origin}/catalogue.jsonld`);
  const catalogue = await dcat.json();
  walk.expect(catalogue["dcat:dataset"].length >= 4, "the catalogue for machines has its datasets");
  await walk.go("/nowhere").catch(() => {});
  await walk.sees("このページはありません");
  await walk.look("7-nowhere");
}

async function byNight(walk) {
  await walk.go("/");
  await walk.sees("never a face");
  await walk.look("1-home");
  await walk.page.getByRole("link", { name: "日本語" }).click();
  await walk.sees("顔は見えない");
  await walk.page.getByRole("link", { name: "English" }).click();
  await walk.go("/catalogue/care_claim");
  await walk.sees("How it may be used");
  await walk.look("2-table");
  await walk.go("/record");
  await walk.look("3-record");
}

async function onTheWay(walk) {
  await walk.go("/catalogue?q=%E7%B3%96%E5%B0%BF%E7%97%85");
  await walk.look("1-search");
  await walk.go("/sign-in");
  await walk.look("2-sign-in");
}
