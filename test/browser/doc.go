// Package browser gives tests a real browser: a tab with cookies of its own, in which elements are found as people and
// screen readers find them, by role and name, and what has to hold for whatever a page shows. It knows no page of the
// product. Chromium takes seconds to start and gigabytes to install, so it is built with the tag browser alone;
// `make test-browser` runs the tests that use it.
package browser
