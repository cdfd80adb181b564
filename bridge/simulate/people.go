package simulate

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// A person of the simulated company, as the provider's own directory has it.
type person struct {
	given, family string
	userName      string // also the work address
	title         string
	department    string
	number        int
	active        bool
	manager       string // SCIM id; empty while unknown
}

func (p person) display() string { return p.given + " " + p.family }

// guid is the provider's own key for the person, the same in every run.
func (p person) guid() string {
	sum := sha256.Sum256([]byte(p.userName))
	return guid(sum[:16])
}

// A team is a group of people, given by their positions in the company.
type team struct {
	name    string
	members []int
}

// company invents people and teams. The same arguments give the same company,
// so that a second run can meet the people of the first. All names have the tag, by which
// they are told from real ones. Teams have the domain in their names too: groups are
// adopted by name, and two companies may share an account.
func company(people, teams int, domain, tag string) ([]person, []team) {
	mark := " (" + tag + ", " + domain + ")"
	ps := make([]person, people)
	for i := range ps {
		given, family, again := name(i)
		userName := localPart(given) + "." + localPart(family)
		if again > 0 {
			userName += fmt.Sprint(again + 1)
		}
		ps[i] = person{
			given: given, family: family, userName: userName + "." + tag + "@" + domain,
			title: titles[i%len(titles)], department: departments[i%len(departments)],
			number: 10001 + i, active: true,
		}
	}
	ts := make([]team, teams)
	for i := range ts {
		if i == 0 {
			ts[i].name = "All Staff" + mark
			for j := range ps {
				ts[i].members = append(ts[i].members, j)
			}
			continue
		}
		ts[i].name = departments[(i-1)%len(departments)]
		if round := (i - 1) / len(departments); round > 0 {
			ts[i].name += fmt.Sprintf(" %d", round+1)
		}
		ts[i].name += mark
		for j := i - 1; j < people; j += min(max(teams-1, 1), len(departments)) {
			ts[i].members = append(ts[i].members, j)
		}
	}
	return ps, ts
}

// name gives the i-th pair of names. No pair comes twice before all came
// once, because 1+7*len(givenNames) and len(familyNames) share no factor;
// again counts how often the pair came before.
func name(i int) (given, family string, again int) {
	row := i / len(givenNames)
	return givenNames[i%len(givenNames)], familyNames[(row+7*i)%len(familyNames)],
		i / (len(givenNames) * len(familyNames))
}

// localPart is a name as it stands in an address: without accents and spaces.
func localPart(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || r == ' ' || r == '\'' {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(name))
}

var departments = []string{
	"Engineering", "Sales", "Customer Support", "Finance", "Marketing", "People Operations",
	"Security", "Design", "Legal", "Facilities", "Research", "Data Platform",
}

var titles = []string{"Specialist", "Manager", "Senior Analyst", "Coordinator", "Engineer", "Associate", "Lead"}

var givenNames = []string{
	"Amara", "Noah", "Zoë", "Mateo", "Ingrid", "Kwame", "Chloé", "Hiroshi", "Leila", "Oscar", "Priya", "Tomás",
	"Freya", "Elias", "Mei", "Julien", "Nadia", "Anders", "Sofía", "Jamal", "Hannah", "Rafael", "Aiko", "Liam",
	"Fatima", "Viktor", "Grace", "Andrés", "Yara", "Samuel", "Irène", "David", "Nkechi", "Lukas", "Emma", "Arjun",
	"Maeve", "Daniel", "Renée", "Omar", "Clara", "Jonas", "Thandi", "Marco", "Alice", "Bjorn", "Rosa", "Peter",
}

var familyNames = []string{
	"Okafor", "Lindström", "García", "Tanaka", "Müller", "O'Brien", "Haddad", "Novák",
	"Silva", "Jensen", "Mbeki", "Rossi",
	"Dubois", "Kowalski", "Patel", "Nguyen", "Smith", "Fernández", "Kim", "Adeyemi", "Schneider", "Martin", "Ivanov",
	"Costa",
	"Bergman", "Chen", "Hassan", "Moreau", "Williams", "Peña", "Virtanen", "Sato", "Bianchi", "Murphy", "Khan", "Weber",
	"Lopes", "Andersson", "Mensah", "Laurent", "Brown", "Horváth", "Popescu", "Yilmaz", "Van Dijk", "Ferreira", "Nowak",
	"Suzuki",
	"Rahman", "Keller", "Diallo", "Petrov", "Johansson", "Baker", "Ortiz", "Lambert", "Singh", "Romano", "Fischer",
	"Abebe",
}
