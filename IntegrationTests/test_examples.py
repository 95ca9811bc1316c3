"""The examples of Examples/gateway do what their pages tell; started by run.py."""

import re
import unittest

from cluster import ROOT
from pages import EXAMPLES, Example, Visitor, browser


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.chromium = cls.enterClassContext(browser())

    def example(self, name, **environment):
        return self.enterContext(Example(name, environment))

    def visitor(self, example, query=""):
        visitor = Visitor(self.chromium, example, query)
        self.addCleanup(visitor.close)
        return visitor

    def test_each_has_its_page_and_its_test(self):
        names = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
        self.assertEqual({name for name in names if not (EXAMPLES / name / "README.md").exists()}, set())
        tested = {name.removeprefix("test_").replace("_", "-") for name in dir(self) if name.startswith("test_")}
        self.assertEqual(names - tested, set())
        listed = set(re.findall(r"\]\((?:gateway/)?([\w-]+)/?\)", (ROOT / "Examples" / "README.md").read_text()))
        self.assertEqual(names - listed, set())

    def test_newsroom(self):
        example = self.example("newsroom")
        anybody, ann = self.visitor(example), self.visitor(example, "as=ann")
        for visitor in (anybody, ann):
            visitor.sees("Connected")
        example.run()
        for visitor, line in ((anybody, "Rain ahead, read 12 times"), (ann, "Rain ahead by Mia, read 12 times")):
            visitor.sees(line)
            self.assertEqual(visitor.lines("#articles"), [line])
            entity = visitor.page.locator("#articles > li").get_attribute("title")
            for secret in ("draftNotes", "mia@example.com"):
                self.assertNotIn(secret, entity)

    def test_orders(self):
        example = self.example("orders")
        people = {name: self.visitor(example, f"as={name}") for name in ("bea", "cem", "dora")}
        for name, visitor in people.items():
            visitor.sees(f"Connected as {name}")
        example.run()
        people["dora"].sees("100: sent")
        people["bea"].sees("100: sent")
        people["cem"].sees("101: paid")
        self.assertEqual(people["bea"].lines("#orders"), ["100: sent"])
        self.assertEqual(people["cem"].lines("#orders"), ["101: paid"])
        self.assertEqual(sorted(people["dora"].lines("#orders")), ["100: sent", "101: paid"])
        for name, answer in (("bea", "Following o-100"), ("cem", "Permission denied")):
            people[name].page.get_by_role("button", name="Follow").click()
            people[name].sees(answer, "#answer")

    def test_tenants(self):
        example = self.example("tenants")
        acme, globex = self.visitor(example, "as=acme"), self.visitor(example, "as=globex")
        for visitor, answer in ((acme, "Joined acme-sales"), (globex, "Permission denied")):
            visitor.sees("Connected")
            visitor.page.get_by_role("button", name="Join").click()
            visitor.sees(re.compile(answer), "#answer")
        example.run()
        acme.sees("new price list")
        globex.sees("payday")
        self.assertEqual(len(acme.lines("#messages")), 2)
        self.assertEqual(globex.lines("#messages"), ["Globex: payday"])


if __name__ == "__main__":
    unittest.main()
