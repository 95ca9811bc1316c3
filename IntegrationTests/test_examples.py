"""The examples of Examples/gateway do what their pages tell; started by run.py."""

import re
import unittest

from cluster import ROOT, free_ports
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
            people[name].press("Follow")
            people[name].sees(answer, "#answer")

    def test_tenants(self):
        example = self.example("tenants")
        acme, globex = self.visitor(example, "as=acme"), self.visitor(example, "as=globex")
        for visitor, answer in ((acme, "Joined acme-sales"), (globex, "Permission denied")):
            visitor.sees("Connected")
            visitor.press("Join")
            visitor.sees(re.compile(answer), "#answer")
        example.run()
        acme.sees("new price list")
        globex.sees("payday")
        self.assertEqual(len(acme.lines("#messages")), 2)
        self.assertEqual(globex.lines("#messages"), ["Globex: payday"])

    def test_chat(self):
        example = self.example("chat")
        people = {name: self.visitor(example) for name in ("Ann", "Bob")}
        for name, visitor in people.items():
            visitor.sees("Connected", "#state")
            visitor.page.locator("#name").fill(name)
            visitor.press("Enter")
            visitor.sees("In chat-lobby", "#state")
        people["Ann"].page.locator("#text").fill("Hello")
        people["Ann"].press("Send")
        for visitor in people.values():
            visitor.sees("Ann: Hello")
        bob = people["Bob"]
        bob.page.locator("#text").fill("")
        bob.press("Send")
        bob.sees(re.compile("Invalid payload"), "#answer")
        bob.page.locator("#room").fill("office")
        bob.press("Enter")
        bob.sees("Private rooms are disabled", "#answer")
        self.assertEqual(people["Ann"].lines("#messages"), ["Ann: Hello"])

    def test_support(self):
        desk_port = free_ports(1)[0]
        hook = f"{{desk: {{url: 'http://127.0.0.1:{desk_port}/', secret: whsec_YW4gZXhhbXBsZSdzIHNlY3JldCBvZiAzMiBieXRlcw==}}}}"
        example = self.example("support", SOCKETIO_GATEWAY_WEBHOOKS=hook)
        example.start("desk.py", DESK_PORT=str(desk_port))
        bea, dora = self.visitor(example, "as=bea"), self.visitor(example, "as=dora")
        for visitor in (bea, dora):
            visitor.sees(re.compile("Connected as"))
        bea.page.locator("#subject").fill("No light")
        bea.press("Open a ticket")
        for visitor in (bea, dora):
            visitor.sees("Ticket 1 by bea: No light")
        for ticket, text, answer in (("2", "Hello?", "There is no such ticket"), ("1", "Turn it on", "")):
            dora.page.locator("#ticket").fill(ticket)
            dora.page.locator("#text").fill(text)
            dora.press("Send")
            if answer:
                dora.sees(answer, "#answer")
        for visitor in (bea, dora):
            visitor.sees("1, dora: Turn it on")
        bea.close()
        dora.sees("1: bea has left")

    def test_scoreboard(self):
        example = self.example("scoreboard")
        early = self.visitor(example)
        early.sees("Watching match-1")
        example.run()
        early.sees("Reds: 2")
        late = self.visitor(example)
        late.sees("Reds: 2")
        for visitor in (early, late):
            self.assertEqual(visitor.lines("#scores"), ["Blues: 0", "Reds: 2"])
        example.run("publish.sh", "reset")
        for visitor in (early, late):
            visitor.page.wait_for_function("document.querySelectorAll('#scores li').length === 0")

    def test_editor(self):
        example = self.example("editor")
        ann, bob = self.visitor(example, "as=ann"), self.visitor(example, "as=bob")
        for visitor in (ann, bob):
            visitor.sees(re.compile("ann.*bob|bob.*ann"), "#editors")
        ann.page.locator("#text").press_sequentially("Milk")
        bob.sees("ann types in text", "#typing")
        bob.page.wait_for_function("document.getElementById('text').value === 'Milk'")
        late = self.visitor(example, "as=bob")
        late.page.wait_for_function("document.getElementById('text').value === 'Milk'")
        for visitor in (bob, late):
            visitor.close()
        ann.page.wait_for_function("document.getElementById('editors').textContent === 'Here: ann'")

    def test_notifications(self):
        example = self.example("notifications")
        ann = self.visitor(example)
        ann.sees("Connected", "#state")
        example.run()
        ann.sees("Version 2 is out")
        ann.press("Go away")
        ann.sees("Away", "#state")
        example.run()
        ann.press("Come back")
        ann.sees("Back, missed 2", "#state")
        self.assertEqual(ann.lines("#notifications"), ["The build is green", "Version 2 is out"] * 2)

    def test_iot(self):
        example = self.example("iot")
        sensor, watcher = self.visitor(example, "as=sensor"), self.visitor(example, "as=watcher")
        for visitor in (sensor, watcher):
            visitor.sees(re.compile("Connected as"))
        sensor.press("Send")
        watcher.sees("roof: 21 °C")
        sensor.page.locator("#celsius").fill("1000")
        sensor.press("Send")
        sensor.sees(re.compile("Invalid payload: .+"), "#answer")
        sensor.press("Send 20 at once")
        sensor.sees(re.compile(r"\d+ refused: Rate limit exceeded"), "#answer")


if __name__ == "__main__":
    unittest.main()
