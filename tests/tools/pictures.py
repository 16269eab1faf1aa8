"""The pictures that guides show, of pages as a browser draws them. `make pictures`."""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

RESULTS = Path("results")
WIDTH, HEIGHT = 1100, 1180  # the answer, the choice and the first chart


def main() -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("pictures: no Chromium; on Debian: apt-get install chromium")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=arguments)
        page = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto((RESULTS / "clinc150.html").absolute().as_uri())
        page.wait_for_selector("body[data-drawn=yes]")
        page.screenshot(path=RESULTS / "clinc150.png")
        opened.close()


if __name__ == "__main__":
    main()
