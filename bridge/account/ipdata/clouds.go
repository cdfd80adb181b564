package ipdata

// clouds are the autonomous systems from which rented machines speak, by the
// names of their holders as the registries have them.
//
// Checked on 2026-11-23. Each number had its holder's name in PeeringDB or in
// a regional registry (vincentbernat/asn2org, July 2026) and announced
// addresses (RouteViews, June 2026). For Amazon, Google, Microsoft, Oracle,
// DigitalOcean and Linode the measure was what they publish of their ranges
// themselves: a number is here if it announces a thousandth of what a customer
// can rent, so that numbers of their offices, of mere interconnection and of
// carriers that lend them addresses are not.
//
// Networks that carry people as well are left out, since denying them denies
// people that browse through them: Cloudflare (WARP and Apple's Private Relay
// share addresses with Workers there), Fastly, the rest of Akamai, Zscaler,
// and hosters whose main tenants are VPNs (M247, Datacamp). The databases know
// more, and are asked as well. An operator that misses a network adds a file in
// which its record says hosting, see Network.
var clouds = map[uint32]string{
	// Amazon Web Services; 55960 and 135629 run its regions in China.
	8987:   "Amazon Data Services Ireland Ltd",
	14618:  "Amazon.com, Inc.",
	16509:  "Amazon.com, Inc.",
	38895:  "Amazon.com Tech Telecom",
	55960:  "Beijing Guanghuan Xinwang Digital",
	135629: "Ningxia West Cloud Data Technology Co.Ltd.",
	135630: "Amazon Connection Technology Services (Beijing) Co., LTD",
	214101: "Amazon Data Services European Sovereign Cloud GmbH",

	// Google Cloud.
	15169:  "Google LLC",
	19527:  "Google LLC",
	396982: "Google LLC",

	// Microsoft Azure.
	8069: "Microsoft Corporation",
	8075: "Microsoft Corporation",

	// Oracle Cloud.
	14544: "Oracle Corporation",
	31898: "Oracle Corporation",

	// IBM Cloud, once SoftLayer.
	36351: "IBM Cloud",

	// DigitalOcean.
	14061: "DigitalOcean, LLC",

	// Akamai Cloud, once Linode.
	63949: "Akamai Technologies, Inc.",

	// Vultr.
	20473: "The Constant Company, LLC",

	// Alibaba Cloud.
	37963:  "Hangzhou Alibaba Advertising Co.,Ltd.",
	45102:  "Alibaba (US) Technology Co., Ltd.",
	134963: "Alibaba Cloud (Singapore) Private Limited",

	// Tencent Cloud.
	45090:  "Shenzhen Tencent Computer Systems Company Limited",
	132203: "Shenzhen Tencent Computer Systems Company Limited",
	132591: "Tencent AS num for global network",
	133478: "Tencent Cloud Computing (Beijing) Co., Ltd",

	// Huawei Cloud.
	55990:  "Huawei Cloud Service data center",
	136907: "HUAWEI INTERNATIONAL PTE. LTD.",

	// Hetzner.
	24940:  "Hetzner Online GmbH",
	212317: "Hetzner Online GmbH",
	213230: "Hetzner Online GmbH",
	215859: "Hetzner Online GmbH",

	// OVHcloud.
	16276: "OVH SAS",

	// Scaleway.
	12876: "Scaleway SAS",

	// IONOS and STRATO.
	6724: "Strato AG",
	8560: "IONOS SE",

	// Leaseweb.
	7203:   "Leaseweb USA, Inc.",
	19148:  "Leaseweb USA, Inc.",
	27411:  "Leaseweb USA, Inc.",
	28753:  "Leaseweb Deutschland GmbH",
	30633:  "Leaseweb USA, Inc.",
	32613:  "Leaseweb Canada Inc.",
	59253:  "LEASEWEB SINGAPORE PTE. LTD.",
	60781:  "LeaseWeb Netherlands B.V.",
	133752: "LEASEWEB HONG KONG LIMITED",
	134351: "Leaseweb Japan K.K.",
	136988: "LEASEWEB AUSTRALIA PTY LIMITED",
	205544: "LEASEWEB UK LIMITED",
	393886: "Leaseweb USA, Inc.",
	394380: "Leaseweb USA, Inc.",
	395954: "Leaseweb USA, Inc.",
	396190: "Leaseweb USA, Inc.",
	396362: "Leaseweb USA, Inc.",

	// Contabo.
	40021:  "Contabo Inc.",
	51167:  "Contabo GmbH",
	141995: "Contabo Asia Private Limited",

	// Rackspace.
	12200: "Rackspace Hosting",
	15395: "Rackspace Ltd.",
	19994: "Rackspace Hosting",
	27357: "Rackspace Hosting",
	33070: "Rackspace Hosting",
	39921: "Rackspace Ltd.",
	45187: "Rackspace.com Hong Kong Limited",
	58683: "Rackspace.com Hong Kong Limited",

	// UpCloud.
	25697:  "UpCloud USA Inc",
	202053: "UpCloud Ltd",

	// Exoscale.
	61098: "Akenes SA",

	// Infomaniak.
	29222: "Infomaniak Network SA",

	// Equinix Metal, once Packet.
	54825: "Packet Host, Inc.",

	// Fly.io, Render and Railway; what runs at Heroku speaks from Amazon's.
	40509:  "Fly.io, Inc.",
	397273: "Render",
	400940: "Railway",

	// Other clouds in Europe.
	29423:  "gridscale GmbH",
	29691:  "Nine Internet Solutions AG",
	31034:  "Aruba S.p.A.",
	42695:  "Cleura AB",
	44076:  "INTAC Services GmbH",
	48579:  "ELASTX AB",
	49505:  "JSC Selectel",
	50340:  "JSC Selectel",
	50837:  "CLOUDSIGMA AG",
	59414:  "cloudscale.ch AG",
	197540: "netcup GmbH",
	199524: "G-Core Labs S.A.",
	200350: "Yandex.Cloud LLC",
	202422: "G-Core Labs S.A.",
	210656: "Yandex.Cloud LLC",
	213291: "Nebius B.V.",
	214996: "netcup GmbH",
	215013: "Yandex.Cloud LLC",

	// Other clouds in Asia.
	7684:   "SAKURA Internet Inc.",
	9370:   "SAKURA Internet Inc.",
	9371:   "SAKURA Internet Inc.",
	23576:  "NAVER Cloud Corp.",
	45974:  "NHNCLOUD",
	59019:  "Beijing Kingsoft Cloud Internet Technology Co., Ltd",
	132420: "E2E Networks Limited",
	135377: "UCLOUD INFORMATION TECHNOLOGY (HK) LIMITED",
	137280: "Kingsoft cloud corporation limited",
	137718: "Beijing Volcano Engine Technology Co., Ltd.",
	150436: "Byteplus Pte. Ltd.",

	// Other clouds in America.
	26356:  "CRUSOE ENERGY SYSTEMS LLC",
	33425:  "CoreWeave, Inc",
	36007:  "Kamatera, Inc.",
	262287: "Maxihost LTDA",
	396356: "Latitude.sh",

	// Hosting at large.
	7979:   "Servers.com, Inc.",
	8100:   "QuadraNet Enterprises LLC",
	8972:   "Host Europe GmbH",
	16125:  "UAB Cherry Servers",
	19318:  "Interserver, Inc",
	20454:  "SECURED SERVERS LLC",
	20773:  "Host Europe GmbH",
	22612:  "Namecheap, Inc.",
	26347:  "New Dream Network, LLC",
	26496:  "GoDaddy.com, LLC",
	29066:  "velia.net Internetdienste GmbH",
	29802:  "HIVELOCITY, Inc.",
	32244:  "Liquid Web, L.L.C",
	36352:  "HostPapa",
	40676:  "Psychz Networks",
	44066:  "firstcolo GmbH",
	46606:  "Unified Layer",
	47583:  "Hostinger International Limited",
	49981:  "WorldStream B.V.",
	53667:  "FranTech Solutions",
	54290:  "HostPapa",
	55293:  "A2 Hosting, Inc.",
	57043:  "HOSTKEY B.V.",
	61317:  "Hivelocity Inc",
	62240:  "Clouvider Limited",
	63473:  "HostHatch, LLC",
	398101: "GoDaddy.com, LLC",
}
