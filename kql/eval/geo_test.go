package eval

import "testing"

const (
	park  = `{"type":"Polygon","coordinates":[[[-73.9495,40.7969],[-73.95807266235352,40.80068603561921],[-73.98201942443848,40.76825672305777],[-73.97317886352539,40.76455136505513],[-73.9495,40.7969]]]}`
	tri1  = `{"type":"Polygon","coordinates":[[[2,45],[0,45],[1,44],[2,45]]]}`
	tri2  = `{"type":"Polygon","coordinates":[[[3,44],[2,45],[2,43],[3,44]]]}`
	aline = `{"type":"LineString","coordinates":[[-73.978929,40.785155],[-73.980903,40.782621]]}`
)

func TestGeography(t *testing.T) {
	for _, k := range []struct {
		tol  float64
		call tc
	}{
		{1e-9, c("geo_distance_2points", tR, "1546754.35197381", -122.407628, 47.578557, -118.275287, 34.019056)},
		{1e-6, c("geo_distance_2points", tR, "54972.271", 144.424867889, -37.951033417, 143.926495528, -37.652821139, true)},
		{0, c("geo_distance_2points", tR, "null", 300, 1, 1, 1)},
		{1e-12, c("geo_angle", tR, "2.94493843406882", 0, 10, 0, 5, 3, -10)},
		{1e-12, c("geo_azimuth", tR, "3.05459939796449", 5, 10, 10, -40)},
		{0, c("geo_azimuth", tR, "null", 5, 10, 5, 10)},
		{1e-9, c("geo_polygon_area", tR, "3475207.28346606", dy(park))},
		{1e-9, c("geo_polygon_perimeter", tR, "9930.30149604938", dy(park))},
		{1e-9, c("geo_polygon_centroid", tY, `{"type":"Point","coordinates":[-73.965735689907618,40.782550538057812]}`, dy(park))},
		{1e-9, c("geo_distance_point_to_polygon", tR, "259.940756070596", -73.9839, 40.7705, dy(park))},
		{1e-9, c("geo_closest_point_on_polygon", tY, `{"type":"Point","coordinates":[-73.981205580153926,40.769359452843211]}`, -73.9839, 40.7705, dy(park))},
		{1e-9, c("geo_intersection_2lines", tY, `{"type":"Point","coordinates":[-73.979837116670978,40.783989289772165]}`, dy(aline), dy(`{"type":"LineString","coordinates":[[-73.985195,40.788275],[-73.974552,40.779761]]}`))},
		{1e-9, c("geo_intersection_2polygons", tY, `{"type":"Point","coordinates":[2,45]}`, dy(tri1), dy(tri2))},
		{1e-9, c("geo_intersection_2polygons", tY, `{"type":"GeometryCollection","geometries":[]}`, dy(tri1), dy(`{"type":"Polygon","coordinates":[[[3,44],[3,45],[2,43],[3,44]]]}`))},
		{1e-9, c("geo_intersection_2polygons", tY, `{"type":"Polygon","coordinates":[[[-73.962105776437156,40.774591360999679],[-73.962642403166868,40.774807020251778],[-73.9631313085556,40.774578106920352],[-73.962079882621765,40.774167803982927],[-73.962105776437156,40.774591360999679]]]}`,
			dy(`{"type":"Polygon","coordinates":[[[-73.9630937576294,40.77498840732385],[-73.963565826416,40.774383111780914],[-73.96205306053162,40.773745311181585],[-73.96160781383514,40.7743912365898],[-73.9630937576294,40.77498840732385]]]}`),
			dy(`{"type":"Polygon","coordinates":[[[-73.96213352680206,40.775045280447145],[-73.9631313085556,40.774578106920345],[-73.96207988262177,40.77416780398293],[-73.96213352680206,40.775045280447145]]]}`))},
		{0, c("geo_intersects_2polygons", tB, "True", dy(tri1), dy(tri2))},
		{0, c("geo_point_in_polygon", tB, "True", -73.9657, 40.7825, dy(park))},
		{0, c("geo_point_in_polygon", tB, "null", 1, 1, dy(`{"type":"Polygon","coordinates":[[[0,0],[10,10],[10,10],[0,0]]]}`))},
		{0, c("geo_point_in_circle", tB, "True", -122.143564, 47.535677, -122.100896, 47.527351, 3500)},
		{1e-9, c("geo_polygon_densify", tY, `{"type":"Polygon","coordinates":[[[10,10],[10.25,10],[10.5,10],[10.75,10],[11,10],[11,11],[10.75,11],[10.5,11],[10.25,11],[10,11],[10,10]]]}`, dy(`{"type":"Polygon","coordinates":[[[10,10],[11,10],[11,11],[10,11],[10,10]]]}`))},
		{0, c("geo_point_to_geohash", tS, "dhwfz15h", -80.195829, 25.802215, 8)},
		{0, c("geo_geohash_neighbors", tY, `["sunnt","sunpj","sunnx","sunpn","sunnv","sunpp","sunnz","sunnw"]`, "sunny")},
		{0, c("geo_point_to_s2cell", tS, "88d9b", -80.195829, 25.802215, 8)},
		{0, c("geo_s2cell_neighbors", tY, `["89c25d","89c2f9","89c251","89c257","89c25f","89c25b","89c2f7","89c2f5"]`, "89c259")},
		{0, c("geo_s2cell_to_polygon", tY, "null", "a")},
		{1e-9, c("geo_line_locate_point", tR, "0.25560135100307552", dy(`{"type":"LineString","coordinates":[[-73.95796,40.80042],[-73.97317,40.764486]]}`), -73.965, 40.792)},
		{1e-9, c("geo_line_simplify", tY, `{"type":"LineString","coordinates":[[-73.97033169865608,40.789063020152824],[-73.97079303860664,40.788434498977836]]}`,
			dy(`{"type":"LineString","coordinates":[[-73.97033169865608,40.789063020152824],[-73.97039607167244,40.78897975920816],[-73.9704617857933,40.78888837512432],[-73.97052884101868,40.7887949601531],[-73.9706052839756,40.788698498903564],[-73.97065222263336,40.78862640672032],[-73.97072866559029,40.78852791445617],[-73.97079303860664,40.788434498977836]]}`), 10)},
		{0, c("geo_from_wkt", tY, `{"type":"Polygon","coordinates":[[[0,0],[2,0],[2,2],[0,0]]]}`, "POLYGON ((0 0, 2 0, 2 2, 0 0))")},
		{0, c("geo_line_simplify", tY, "null", dy(`{"type":"LineString","coordinates":[[1.1,1.1],[1.2,1.2]]}`), 100000)},
		{1e-9, c("geo_union_lines_array", tY, `{"type":"LineString","coordinates":[[0,0],[1,1],[2,0],[3,0]]}`, dy(`[{"type":"LineString","coordinates":[[0,0],[1,1],[2,0]]},{"type":"LineString","coordinates":[[1,1],[2,0],[3,0]]}]`))},
	} {
		got, err := runCall(t, k.call.name, k.call.ret, true, k.call.args...)
		if err != nil || got != k.call.want && !near(t, got, k.call.want, k.tol) {
			t.Errorf("%s%v = %s %v, want %s", k.call.name, k.call.args, got, err, k.call.want)
		}
	}
}

// TestBuffers checks that a buffer holds points at less than its radius and none beyond.
func TestBuffers(t *testing.T) {
	buf, err := runCall(t, "geo_line_buffer", tY, false, dy(aline), 50, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		lng, lat float64
	}{{-73.9795, 40.7844}, {-73.9789, 40.7852}, {-73.9801, 40.7842}, {-73.9790, 40.7838}, {-73.9815, 40.7825}} {
		d, _ := runCall(t, "geo_distance_point_to_line", tR, false, p.lng, p.lat, dy(aline))
		in, err := runCall(t, "geo_point_in_polygon", tB, false, p.lng, p.lat, dy(buf))
		near := len(d) > 0 && d[0] != '-' && (len(d) < 2 || d[1] == '.' || d[2] == '.' && d[0] < '5')
		if err != nil || (in == "True") != near {
			t.Errorf("point %v at %s m: in the buffer %s %v", p, d, in, err)
		}
	}
}
