// Package page is the bridge's status page at /app, protected by the bearer token, which is entered in a form.
//
// It consists of sections. A section is a file with a function that returns it: its data, its links and its routes; and
// a template of the same name in html. The wiring of the bridge lists them in the order of display. The page itself
// signs people in and out, composes the sections and renders them; it knows none of them.
//
// It is plain HTML, and shows what it is told: nothing in it decides what is right or wrong.
package page
