// Signs a person in with one of the one-time words that were made for them.

export async function signIn(walk, who) {
  const word = walk.people[who].shift();
  walk.expect(word, `there is no word left for ${who}`);
  await walk.go(`/sign-in?link=${word}`);
  await walk.page.locator("form.sign button").first().click();
  await walk.page.waitForURL((url) => !url.pathname.startsWith("/sign-in"));
}
